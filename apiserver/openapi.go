package apiserver

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
	"go.yaml.in/yaml/v3"
)

// The document is kept in parts: what it is about, the paths of the two forms,
// and the schemas that they share. A new endpoint or key needs a line there;
// openapi_test.go compares it with the routes and the Go types.
//
//go:embed openapi/*.yaml
var openapiParts embed.FS

// openapiDocument returns the OpenAPI document of the interface as JSON.
func openapiDocument(version string) ([]byte, error) {
	document := map[string]any{}
	if err := readPart("info", &document); err != nil {
		return nil, err
	}
	paths, components := map[string]any{}, map[string]any{}
	for _, part := range []struct {
		name string
		into *map[string]any
	}{{"operators", &paths}, {"resources", &paths}, {"components", &components}} {
		if err := readPart(part.name, part.into); err != nil {
			return nil, err
		}
	}
	document["paths"], document["components"] = paths, components
	if info, ok := document["info"].(map[string]any); ok {
		info["version"] = version
	}
	b, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode OpenAPI document: %w", err)
	}
	return b, nil
}

// readPart adds the keys of one part to what is there.
func readPart(name string, into *map[string]any) error {
	b, err := openapiParts.ReadFile("openapi/" + name + ".yaml")
	if err != nil {
		return fmt.Errorf("read OpenAPI document: %w", err)
	}
	if err := yaml.Unmarshal(b, into); err != nil {
		return fmt.Errorf("read OpenAPI document: %s: %w", name, err)
	}
	return nil
}

// handleOpenAPI answers /openapi.json.
func (s *Server) handleOpenAPI(c echo.Context) error {
	return c.Blob(http.StatusOK, jsonType, s.openapi)
}
