// Package console is the web console: pages for people in a browser, made by the server from
// templates, with a little script that renews them and draws charts. Everything but charts works
// without script.
//
// It has no state and no commands of its own. What jobs do and what is ordered goes through
// Backend, which is the API server: the same functions that answer its HTTP interface.
package console

import (
	"embed"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/access"
)

// Options configure a Console. Backend, Sessions and Enter are required.
type Options struct {
	Backend  Backend
	Tokens   *access.Tokens   // who may do what; nil lets everybody do everything
	Sessions *access.Sessions // the logins of browsers
	Version  string
	// Enter notes who sends a request and what role its page needs, for Backend.
	Enter func(c echo.Context, id access.Identity, needed access.Role)
	// TemporalUI is where people reach the Temporal Web UI, "" if it is not known; Namespace is
	// the one of the jobs.
	TemporalUI, Namespace string
	Logger                *slog.Logger
}

// Console answers the requests of browsers.
type Console struct {
	Options
	pages map[lang]*pageSet
	// jobTexts translate what jobs say; English needs none.
	jobTexts map[lang]*jobTexts
	assets   map[string]asset
	now      func() time.Time
	bulkFor  time.Duration // see bulkFor
}

// Route is one address of the console.
type Route struct {
	Method, Path string
	Role         access.Role // what whoever asks has to have
	Handle       echo.HandlerFunc
}

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// New makes a console.
func New(o Options) (*Console, error) {
	s := &Console{Options: o, now: time.Now, bulkFor: bulkFor, jobTexts: map[lang]*jobTexts{chinese: newChineseJobTexts()}}
	var err error
	if s.assets, err = readAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = s.parsePages(); err != nil {
		return nil, err
	}
	return s, nil
}

// Routes is the index of the console's addresses. All but "/" and those without a role are guarded.
func (s *Console) Routes() []Route {
	get, post := http.MethodGet, http.MethodPost
	routes := []Route{
		{get, "/", access.Read, s.guard(access.Read, s.jobsPage)},
		{get, "/console/job", access.Read, s.guard(access.Read, s.jobPage)},
		{get, "/console/binlogs", access.Read, s.guard(access.Read, s.binlogsPage)},
		// Each action asks for its own role besides.
		{get, "/console/do", access.Operate, s.guard(access.Operate, s.actionPage)},
		{post, "/console/do", access.Operate, s.guard(access.Operate, s.act)},
		{post, "/console/bulk", access.Operate, s.guard(access.Operate, s.bulk)},

		{get, "/console/clusters", access.Read, s.guard(access.Read, s.clustersPage)},
		{get, "/console/new", access.Admin, s.guard(access.Admin, s.newJobPage)},
		{post, "/console/new", access.Admin, s.guard(access.Admin, s.newJob)},

		{get, "/console/login", access.Open, s.open(s.loginPage)},
		{post, "/console/login", access.Open, s.open(s.login)},
		{post, "/console/logout", access.Open, s.open(s.logout)},
		{get, "/console/language", access.Open, s.open(s.language)},
		{get, "/console/assets/:file", access.Open, s.open(s.asset)},
	}
	return routes
}

// guard lets a request through to a page if whoever sends it may see that.
func (s *Console) guard(needed access.Role, handle func(*visit) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		v := s.newVisit(c)
		if v.wantsNoPage() {
			return echo.NewHTTPError(http.StatusNotFound)
		}
		id, err := s.identify(c.Request())
		if err == nil && id.Role < needed {
			err = &access.ForbiddenError{Identity: id, Needed: needed}
		}
		v.identity = id
		switch {
		case err == nil:
		case access.Status(err) == http.StatusForbidden:
			access.LogRefusal(s.Logger, c.Request(), err)
			return v.failPage(http.StatusForbidden, err)
		default:
			return v.askToLogIn(err)
		}
		s.Enter(c, id, needed)
		return s.checked(v, handle)
	}
}

// open is guard for what needs no login.
func (s *Console) open(handle func(*visit) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		return s.checked(s.newVisit(c), handle)
	}
}

// checked refuses a form that is not ours.
func (s *Console) checked(v *visit, handle func(*visit) error) error {
	r := v.c.Request()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		r.Body = http.MaxBytesReader(v.c.Response(), r.Body, bodyLimit)
		if err := r.ParseForm(); err != nil {
			return v.failPage(http.StatusBadRequest, fmt.Errorf("the form cannot be read: %w", err))
		}
		if !v.formIsOurs() {
			return v.failPage(http.StatusForbidden, errForeignForm)
		}
	}
	return handle(v)
}

// bodyLimit bounds a form, in bytes.
const bodyLimit = 1 << 20
