package apiserver

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/access"
)

// callerKey is where guard leaves the caller's identity in a request's context.
const callerKey = "ccr.caller"

// guard lets a request through to p's handler if its token permits.
func (s *Server) guard(p endpoint) echo.HandlerFunc {
	return func(c echo.Context) error {
		id, err := s.tokens.Check(c.Request(), p.role)
		if err == nil {
			c.Set(callerKey, id)
			if p.role > access.Read {
				// A command: whoever has its answer must not be told what was before.
				c.Response().Before(s.answers.forget)
			}
			return p.handle(c)
		}
		access.LogRefusal(s.log, c.Request(), err)
		status := access.Status(err)
		if status == http.StatusUnauthorized {
			access.Challenge(c.Response().Header(), forBrowsers(p.path))
		}
		return s.refuse(c, status, err)
	}
}

// refuse answers a request that nobody has handled, in the shape of its form.
func (s *Server) refuse(c echo.Context, status int, err error) error {
	if isResource(c.Request().URL.Path) {
		return sendProblem(c, status, err.Error())
	}
	return send(c, status, failure(err))
}

// forBrowsers tells the pages that people open: there the browser has to ask for
// the token.
func forBrowsers(path string) bool { return path == "/view" || strings.HasPrefix(path, "/view/") }

// caller returns who sends the request. Without tokens everybody is an
// administrator without a name.
func caller(c echo.Context) access.Identity {
	id, ok := c.Get(callerKey).(access.Identity)
	if !ok {
		return access.Identity{}
	}
	return id
}

// by says who asks, for the events of a job and for the log: the name of the
// token and the address.
func by(c echo.Context) string {
	remote := c.Request().RemoteAddr
	if name := caller(c).Name; name != "" {
		return name + " (" + remote + ")"
	}
	return remote
}
