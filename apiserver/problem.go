package apiserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"go.temporal.io/api/serviceerror"

	"github.com/doris-ccr/ccr/access"
)

const (
	jsonType    = "application/json"
	problemType = "application/problem+json"
)

// problem is the body of every error of the REST form (RFC 9457). Its detail is
// the text that the other form has in error_msg.
type problem struct {
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance,omitempty"`
}

// resourcePath begins the paths of the REST form that are about jobs; clustersPath is
// about none.
const (
	resourcePath = "/jobs"
	clustersPath = "/api/v1/clusters"
)

// isResource tells the two forms of the interface apart.
func isResource(path string) bool {
	return path == resourcePath || path == clustersPath || strings.HasPrefix(path, resourcePath+"/")
}

// statusOf is the HTTP status that the REST form answers an error with.
func statusOf(err error) int {
	var (
		refused   *refusedError
		tooLarge  *http.MaxBytesError
		forbidden *access.ForbiddenError
		down      *serviceerror.Unavailable
	)
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errUnreadable):
		return http.StatusBadRequest
	case errors.As(err, &forbidden):
		return http.StatusForbidden
	case errors.Is(err, errUnknownJob), errors.Is(err, errUnknownReport):
		return http.StatusNotFound
	case errors.Is(err, errTaken), errors.As(err, &refused):
		return http.StatusConflict
	case errors.Is(err, errInvalid), errors.Is(err, errNameEmpty):
		return http.StatusUnprocessableEntity
	case errors.Is(err, errPending):
		return http.StatusAccepted
	case errors.Is(err, errNoWorker), errors.Is(err, errOldWorkers), errors.Is(err, errTemporalDown), errors.Is(err, errUndecided), errors.As(err, &down):
		return http.StatusServiceUnavailable
	case timedOut(err):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// failResource answers a request about the job called name ("" = about none)
// with an error. A command that is recorded and will be carried out is no error:
// it answers 202.
func failResource(c echo.Context, name string, err error) error {
	status := statusOf(err)
	text := describe(err, name).Error()
	if status == http.StatusAccepted {
		return sendResource(c, status, jsonType, accepted{Detail: text})
	}
	return sendProblem(c, status, text)
}

// accepted is the body of 202: what was asked for goes on.
type accepted struct {
	Detail string `json:"detail"`
}

func sendProblem(c echo.Context, status int, detail string) error {
	return sendResource(c, status, problemType, problem{
		Title: http.StatusText(status), Status: status, Detail: detail, Instance: c.Request().URL.Path,
	})
}

// sendResource writes v as JSON under its own media type.
func sendResource(c echo.Context, status int, mediaType string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode reply of %s: %w", c.Path(), err)
	}
	return c.Blob(status, mediaType, b)
}

// decodeResource reads a body that has to be one JSON object with known keys
// only. The old form ignores other keys for the sake of old scripts. Here a misspelt key
// is an error.
func decodeResource(c echo.Context, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, bodyLimit))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil && d.More() {
		err = errors.New("there is more than one JSON value")
	}
	if err != nil {
		return classify(errUnreadable, fmt.Errorf("read the body: %w", inJSONWords(err)))
	}
	return nil
}
