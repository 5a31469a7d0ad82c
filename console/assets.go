package console

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"

	"github.com/labstack/echo/v4"
)

// asset is a file that pages load.
type asset struct {
	body []byte
	kind string
	// tag changes with the content: browsers keep a file for as long as it has the same.
	tag string
}

var assetKinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

func readAssets() (map[string]asset, error) {
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		return nil, fmt.Errorf("assets of the console: %w", err)
	}
	assets := map[string]asset{}
	for _, e := range entries {
		kind, served := assetKinds[path.Ext(e.Name())]
		if !served {
			continue
		}
		body, err := fs.ReadFile(assetFiles, "assets/"+e.Name())
		if err != nil {
			return nil, fmt.Errorf("assets of the console: %w", err)
		}
		sum := sha256.Sum256(body)
		assets[e.Name()] = asset{body: body, kind: kind, tag: hex.EncodeToString(sum[:6])}
	}
	return assets, nil
}

// asset answers a request for a file. Files are public: they say nothing about jobs.
func (s *Console) asset(v *visit) error {
	a, ok := s.assets[v.c.Param("file")]
	if !ok {
		return echo.NewHTTPError(http.StatusNotFound)
	}
	h := v.c.Response().Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	return v.c.Blob(http.StatusOK, a.kind, a.body)
}
