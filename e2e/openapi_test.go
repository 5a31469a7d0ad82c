package e2e

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"
)

// openapi loads the document that the server serves and checks that it is one.
func (e *env) openapi() *openapi3.T {
	e.Helper()
	_, text := e.request(http.MethodGet, "/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text))
	require.NoError(e, err)
	require.NoError(e, doc.Validate(e.ctx))
	return doc
}

// requireDocumented asserts that a reply is what the document says for the path
// (as the document writes it) and the method.
func (e *env) requireDocumented(doc *openapi3.T, method, path string, resp *http.Response, text string) {
	e.Helper()
	what := method + " " + path + " " + resp.Status + " " + text
	item := doc.Paths.Find(path)
	require.NotNil(e, item, what)
	operation := item.GetOperation(method)
	if operation == nil {
		operation = item.Get // an operator that takes every method
	}
	require.NotNil(e, operation, what)
	reply := operation.Responses.Status(resp.StatusCode)
	require.NotNil(e, reply, "not a documented status: "+what)
	mediaType, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if text == "" {
		require.Empty(e, reply.Value.Content, what)
		return
	}
	content := reply.Value.Content.Get(mediaType)
	require.NotNil(e, content, "not a documented media type %s: %s", mediaType, what)
	var body any
	require.NoError(e, json.Unmarshal([]byte(text), &body), what)
	require.NoError(e, content.Schema.Value.VisitJSON(body), what)
}
