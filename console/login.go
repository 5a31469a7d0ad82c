package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/doris-ccr/ccr/access"
)

// loginData is what the page with the login shows.
type loginData struct {
	Next    string
	Refused bool
}

func (s *Console) loginPage(v *visit) error {
	if !s.Sessions.Wanted() {
		return v.see("")
	}
	return v.page(http.StatusOK, "login", v.t("Log in"), "", 0, loginData{Next: ownPage(v.c.QueryParam("next"))})
}

// login makes a session of a token.
func (s *Console) login(v *visit) error {
	if !s.Sessions.Wanted() {
		return v.see("")
	}
	next := ownPage(v.c.FormValue("next"))
	session, id, err := s.Sessions.Begin(strings.TrimSpace(v.c.Request().PostFormValue("token")))
	if err != nil {
		access.LogRefusal(s.Logger, v.c.Request(), err)
		return v.page(http.StatusUnauthorized, "login", v.t("Log in"), "", 0, loginData{Next: next, Refused: true})
	}
	s.Logger.Info("logged in to the console", "token", id.Name, "remote", v.c.Request().RemoteAddr)
	v.setCookie(sessionCookie, session, int(access.SessionLife.Seconds()))
	v.form = "" // what was known before the login is not good after it
	v.keptForm()
	return v.see(next)
}

func (s *Console) logout(v *visit) error {
	v.setCookie(sessionCookie, "", -1)
	v.form = ""
	v.keptForm()
	return v.see("console/login")
}

// language notes in which language the browser wants the console from now on.
func (s *Console) language(v *visit) error {
	if chosen := lang(v.c.QueryParam("to")); chosen.known() {
		const year = 365 * 24 * 3600
		v.setCookie(languageCookie, string(chosen), year)
	}
	return v.see(ownPage(v.c.QueryParam("next")))
}

// ownPage is next if that is a page of the console, else "": nobody is sent elsewhere.
func ownPage(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || strings.ContainsAny(next, "\\\r\n\t") {
		return ""
	}
	if u.Path != "" && !strings.HasPrefix(u.Path, "console/") || strings.Contains(u.Path, "..") {
		return ""
	}
	if strings.HasPrefix(u.Path, "console/login") || strings.HasPrefix(u.Path, "console/language") {
		return ""
	}
	return next
}
