package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"
)

// contentType of every JSON reply: the existing interface says text although
// the body is JSON (http-api.md 1), and clients have settled on that.
const contentType = "text/plain; charset=utf-8"

// base is the shape that all replies but version's share.
type base struct {
	Success  bool   `json:"success"`
	ErrorMsg string `json:"error_msg,omitempty"`
}

// failure is the base of a reply that carries an error.
func failure(err error) base { return base{ErrorMsg: err.Error()} }

// fail answers with the base shape only.
func fail(c echo.Context, err error) error { return send(c, http.StatusOK, failure(err)) }

// ok answers {"success":true}.
func ok(c echo.Context) error { return send(c, http.StatusOK, base{Success: true}) }

// send writes v as compact JSON without a line end.
func send(c echo.Context, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode reply of %s: %w", c.Path(), err)
	}
	return c.Blob(status, contentType, b)
}

// decode reads the first JSON value of the body into v. The error's text is
// the answer: "EOF" for no body, else the parser's words (http-api.md 1.1), without types
// of Go.
func decode(c echo.Context, v any) error {
	body := http.MaxBytesReader(c.Response(), c.Request().Body, bodyLimit)
	return inJSONWords(json.NewDecoder(body).Decode(v))
}
