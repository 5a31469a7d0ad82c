package console

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/access"
)

// visit is one request of a browser.
type visit struct {
	s        *Console
	c        echo.Context
	lang     lang
	identity access.Identity
	// form is what the browser keeps so that its forms can be told from those of other sites.
	form string
}

const (
	sessionCookie  = "ccr_session"
	formCookie     = "ccr_form"
	languageCookie = "ccr_language"
)

var (
	errForeignForm = errors.New("refused: the form does not come from a page that this browser has just seen. Go back, renew the page, and try again")
	errNoPage      = errors.New("there is no such page")
)

func (s *Console) newVisit(c echo.Context) *visit {
	v := &visit{s: s, c: c, lang: languageOf(c.Request())}
	if kept, err := c.Cookie(formCookie); err == nil {
		v.form = kept.Value
	}
	return v
}

// identify tells who sends a request: by the header that scripts send, or by the session that the
// browser keeps.
func (s *Console) identify(r *http.Request) (access.Identity, error) {
	if !s.Sessions.Wanted() || r.Header.Get("Authorization") != "" {
		return s.Tokens.Check(r, access.Read)
	}
	kept, err := r.Cookie(sessionCookie)
	if err != nil {
		return access.Identity{}, access.ErrNoSession
	}
	return s.Sessions.Check(kept.Value)
}

// wantsNoPage tells a script that asks for "/", where there has never been anything for it.
func (v *visit) wantsNoPage() bool {
	r := v.c.Request()
	return r.URL.Path == "/" && !v.fromScript() && !strings.Contains(r.Header.Get("Accept"), "text/html")
}

// fromScript tells a request that htmx makes to renew a part of a page.
func (v *visit) fromScript() bool { return v.c.Request().Header.Get("HX-Request") == "true" }

// root is the way from the page to "/", so that the console works below any path of a proxy.
func (v *visit) root() string {
	if v.c.Request().URL.Path == "/" {
		return "./"
	}
	return "../"
}

// keptForm returns what the browser keeps for its forms, and gives it that before.
func (v *visit) keptForm() string {
	if v.form == "" {
		v.form = rand.Text()
		v.setCookie(formCookie, v.form, 0)
	}
	return v.form
}

func (v *visit) formIsOurs() bool {
	return v.s.Sessions.FormTokenFits(v.form, v.c.Request().PostFormValue("form_token"))
}

// setCookie has the browser keep a value that no script and no other site sees. maxAge 0 lasts as long
// as the browser runs, -1 takes it away.
func (v *visit) setCookie(name, value string, maxAge int) {
	r := v.c.Request()
	v.c.SetCookie(&http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

// see sends the browser to another page of the console; to is a path without the leading "/".
func (v *visit) see(to string) error {
	return v.c.Redirect(http.StatusSeeOther, v.root()+to)
}

// askToLogIn sends a browser without a session to the login. One that follows a link of another site
// does not send its cookies, and is asked to come again by itself.
func (v *visit) askToLogIn(err error) error {
	r := v.c.Request()
	access.LogRefusal(v.s.Logger, r, access.ErrNoToken)
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Method == http.MethodGet {
		v.headers()
		return v.c.HTML(http.StatusOK, `<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>ccr</title>`)
	}
	if v.fromScript() {
		v.c.Response().Header().Set("HX-Redirect", v.root()+"console/login")
		return v.c.NoContent(http.StatusUnauthorized)
	}
	to := "console/login"
	if next := strings.TrimPrefix(r.URL.RequestURI(), "/"); r.Method == http.MethodGet && next != "" {
		to += "?next=" + url.QueryEscape(next)
	}
	_ = err // what was wrong with a session says nothing to a person
	return v.see(to)
}

// headers let a page load what is ours, run what is ours, and be framed by nothing.
func (v *visit) headers() {
	h := v.c.Response().Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "+
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept, Accept-Language, Cookie, HX-Request")
	// Not no-referrer: forms would then send "Origin: null".
	h.Set("Referrer-Policy", "same-origin")
}

// frame is what the layout shows around each page.
type frame struct {
	Lang, Title, Section, Root, Version, Here string
	Who                                       access.Identity
	FormToken                                 string
	LoginWanted                               bool
	// Renew is after how many seconds the page renews itself, 0 never.
	Renew int
	// Data is what the page's own template shows.
	Data any
}

// MayOperate and MayAdmin tell what the reader may do.
func (f *frame) MayOperate() bool { return f.Who.Role >= access.Operate }

// MayAdmin tells whether the reader may create and delete jobs.
func (f *frame) MayAdmin() bool { return f.Who.Role >= access.Admin }

// page writes a page. section is the entry of the navigation that it belongs to.
func (v *visit) page(status int, name, title, section string, renew int, data any) error {
	f := &frame{
		Lang: string(v.lang), Title: title, Section: section, Root: v.root(), Version: v.s.Version,
		Here: strings.TrimPrefix(v.c.Request().URL.RequestURI(), "/"),
		Who:  v.identity, LoginWanted: v.s.Sessions.Wanted(), Renew: renew, Data: data,
	}
	f.FormToken = v.s.Sessions.FormToken(v.keptForm())
	var out bytes.Buffer
	if err := v.s.pages[v.lang].execute(&out, name, f); err != nil {
		return fmt.Errorf("write the page %s: %w", name, err)
	}
	v.headers()
	return v.c.HTMLBlob(status, out.Bytes())
}

// failPage says what went wrong.
func (v *visit) failPage(status int, err error) error {
	return v.page(status, "failure", v.t("That did not work"), "", 0, err.Error())
}

// t is a text of the console in the visitor's language.
func (v *visit) t(english string, args ...any) string { return v.lang.text(english, args...) }
