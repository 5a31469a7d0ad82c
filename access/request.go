package access

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

// ForbiddenError: the token is known, but its role does not suffice.
type ForbiddenError struct {
	Identity Identity
	Needed   Role
}

// Error says who lacks what.
func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("token %s has the role %s, this needs %s", e.Identity.Name, e.Identity.Role, e.Needed)
}

// Check returns who sends the request if that may do what needs the role. The
// error is ErrNoToken, ErrUnknownToken or a ForbiddenError. What is Open needs
// no token, and a wrong one does no harm there.
func (t *Tokens) Check(r *http.Request, needed Role) (Identity, error) {
	if t == nil {
		return Identity{Role: Admin}, nil
	}
	id, err := t.Identify(tokenOf(r))
	switch {
	case needed == Open:
		return id, nil
	case err != nil:
		return Identity{}, err
	case id.Role < needed:
		return id, &ForbiddenError{Identity: id, Needed: needed}
	}
	return id, nil
}

// tokenOf finds the token of a request: a bearer token, or the password of basic
// authentication, which is what browsers ask people for.
func tokenOf(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// Status is the HTTP status of an error of Check.
func Status(err error) int {
	if forbidden := (*ForbiddenError)(nil); errors.As(err, &forbidden) {
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}

// Challenge sets the header that goes with the status 401. With basic, browsers
// ask for a password, which is the token.
func Challenge(h http.Header, basic bool) {
	if basic {
		h.Set("WWW-Authenticate", `Basic realm="ccr: any user, the token as password", charset="UTF-8"`)
		return
	}
	h.Set("WWW-Authenticate", `Bearer realm="ccr"`)
}

// LogRefusal logs that a request was refused by Check. Asking without a token is
// how browsers begin.
func LogRefusal(log *slog.Logger, r *http.Request, err error) {
	level := slog.LevelWarn
	if errors.Is(err, ErrNoToken) {
		level = slog.LevelInfo
	}
	log.Log(r.Context(), level, "request refused", "method", r.Method, "path", r.URL.Path, "remote", r.RemoteAddr, "error", err)
}

// Protect lets only requests through to h that may do what needs the role.
func (t *Tokens) Protect(h http.Handler, needed Role, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := t.Check(r, needed); err != nil {
			LogRefusal(log, r, err)
			Challenge(w.Header(), true)
			http.Error(w, err.Error(), Status(err))
			return
		}
		h.ServeHTTP(w, r)
	})
}
