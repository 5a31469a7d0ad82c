package dorisim

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// Codes of the FE's HTTP interface.
const (
	codeUnauthorized  = 401
	codeBadRequest    = 403
	codeInternalError = 500
)

// debugRoutes are the calls that switch debug points (doris-sql.md 5.8).
func (f *Frontend) debugRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/debug_point/add/{name}", f.debugPoint(f.addDebugPoint))
	mux.HandleFunc("POST /api/debug_point/remove/{name}", f.debugPoint(func(w http.ResponseWriter, r *http.Request) {
		f.cluster.core.DebugPoints().Remove(f.index, r.PathValue("name"))
		reply(w, nil)
	}))
	mux.HandleFunc("POST /api/debug_point/clear", f.debugPoint(func(w http.ResponseWriter, _ *http.Request) {
		f.cluster.core.DebugPoints().Clear(f.index)
		reply(w, nil)
	}))
}

// debugPoint lets administrators in where debug points are enabled.
func (f *Frontend) debugPoint(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := f.cluster.core
		if c.FEConfig("enable_debug_points") != "true" {
			replyCode(w, codeInternalError, "Internal Error", "Disable debug points. please check Config.enable_debug_points")
			return
		}
		name, password, ok := r.BasicAuth()
		if !ok {
			replyCode(w, codeUnauthorized, "Unauthorized", "Need auth information.")
			return
		}
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		user, ok := c.Users.Check(name, password, host)
		if !ok || !user.May(core.AdminPriv, "", "") {
			replyCode(w, codeUnauthorized, "Unauthorized", "Access denied for "+name+"@"+host)
			return
		}
		next(w, r)
	}
}

func (f *Frontend) addDebugPoint(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	p := core.DebugPoint{Value: query.Get("value")}
	if text := query.Get("execute"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			replyCode(w, codeBadRequest, "Bad Request", "Invalid execute format: "+text+", err "+err.Error())
			return
		}
		p.Limit = n
	}
	if text := query.Get("timeout"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			replyCode(w, codeBadRequest, "Bad Request", "Invalid timeout format: "+text+", err "+err.Error())
			return
		}
		if seconds > 0 {
			p.Expires = f.cluster.core.Now().Add(time.Duration(seconds) * time.Second)
		}
	}
	f.cluster.core.DebugPoints().Add(f.index, r.PathValue("name"), p)
	reply(w, nil)
}
