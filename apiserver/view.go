package apiserver

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/job"
)

// viewRow is one job on the overview. The first ten keys are those of
// http-api.md 3.17, all of them strings; the rest is ours.
type viewRow struct {
	JobName            string `json:"jobName"`
	Type               string `json:"type"`
	Lag                string `json:"lag"`
	LagSec             string `json:"lagSec"`
	SyncState          string `json:"syncState"`
	SubSyncState       string `json:"subSyncState"`
	LastFullSyncTime   string `json:"lastFullSyncTime"`
	LastFullSyncReason string `json:"lastFullSyncReason"`
	IsHostMapping      string `json:"isHostMapping"`
	OtherArgs          string `json:"otherArgs"`
	// State is running, paused, stalled (cannot go on, Error says why) or
	// unknown (Error says why).
	State     string `json:"state"`
	Error     string `json:"error"`
	LastEvent string `json:"lastEvent"`
	// Differences are what the two sides are known to differ in.
	Differences string `json:"differences"`
	// LagObservedAt is when the source was asked for the lag; LagOld that this is
	// so long ago that the page has to say it.
	LagObservedAt string `json:"lagObservedAt"`
	// BehindSecs is how old the next binlog is, "" if that is not known.
	BehindSecs string `json:"behindSecs"`
	LagOld     bool   `json:"-"`
}

// viewLagAge is how old a lag may be that is shown without its time.
const viewLagAge = time.Minute

// News is the last event, unless the row's error says the same.
func (v viewRow) News() string {
	if v.Error != "" && strings.Contains(v.LastEvent, v.Error) {
		return ""
	}
	return v.LastEvent
}

// Words of viewRow.State beside those of job_status.
const (
	viewStalled = "stalled"
	viewUnknown = "unknown"
)

// handleView answers /view. A job that does not answer has a row that says so.
func (s *Server) handleView(c echo.Context) error {
	kind := c.QueryParam("type")
	if kind == "" {
		kind = "html"
	}
	write, known := map[string]func(echo.Context, []viewRow) error{
		"html":  s.viewHTML,
		"table": viewTable,
		"raw":   viewRaw,
		"json":  func(c echo.Context, rows []viewRow) error { return send(c, http.StatusOK, rows) },
	}[kind]
	if !known {
		return c.Blob(http.StatusOK, contentType, []byte("show job state with unknow type: "+kind))
	}
	all, err := s.overview.all(c.Request().Context())
	if err != nil {
		return c.Blob(statusOf(err), contentType, []byte(err.Error()))
	}
	rows := []viewRow{}
	for _, r := range all {
		if !errors.Is(r.err, errUnknownJob) { // else deleted since the names were listed
			rows = append(rows, newViewRow(r))
		}
	}
	return write(c, rows)
}

func newViewRow(r overviewRow) viewRow {
	if r.err != nil {
		return viewRow{JobName: r.name, State: viewUnknown, Error: r.err.Error()}
	}
	v := viewRow{
		JobName:            r.name,
		Type:               r.spec.Type().String(),
		Lag:                strconv.FormatInt(r.status.Lag.Binlogs, 10),
		LagSec:             strconv.FormatInt(r.status.Lag.Seconds(), 10),
		SyncState:          r.status.ProgressState.String(),
		SubSyncState:       subStateNames[subState(r.status.Phase)],
		LastFullSyncReason: r.status.FullSyncReason,
		IsHostMapping:      strconv.FormatBool(len(r.spec.Source.HostMapping)+len(r.spec.Destination.HostMapping) > 0),
		OtherArgs:          otherArgs(r.spec),
		State:              r.status.StateWord(),
	}
	if r.spec.Type() == job.TableSync && r.spec.Source.Table != r.spec.Destination.Table {
		v.Type += "_with_alias"
	}
	if at := r.status.Lag.ObservedAt; at.IsZero() {
		v.Lag, v.LagSec = "", "" // nobody has looked yet
	} else {
		v.LagObservedAt, v.LagOld = localTime(at.UnixMilli()), time.Since(at) > viewLagAge
	}
	if behind := behindSecs(r.status); behind != nil {
		v.BehindSecs = strconv.FormatInt(*behind, 10)
	}
	if at := r.status.FullSyncAt; !at.IsZero() {
		v.LastFullSyncTime = localTime(at.UnixMilli())
	}
	if p := r.status.Problem; p != nil {
		v.Error = p.Text
		if r.status.Stalled {
			v.State = viewStalled
		}
	}
	var differ []string
	for _, d := range r.status.Differences {
		differ = append(differ, d.Table+": "+d.Text)
	}
	v.Differences = strings.Join(differ, "; ")
	if e := r.status.LastEvent; e != nil {
		v.LastEvent = localTime(e.At.UnixMilli()) + " " + e.Text
	}
	return v
}

// subStateNames are the names of http-api.md 3.12 for what subState returns.
var subStateNames = map[int]string{
	subDone:                "Done",
	subBeginCreateSnapshot: "BeginCreateSnapshot",
	subRestoreSnapshot:     "RestoreSnapshot",
	subPersistRestoreInfo:  "PersistRestoreInfo",
}

// otherArgs lists the options of create_ccr that are not what they are by default.
func otherArgs(s job.Spec) string {
	var args []string
	if s.ReuseBinlogLabel {
		args = append(args, "reuse_binlog_label=true")
	}
	if s.ReplicationNum > 0 {
		args = append(args, fmt.Sprintf("replication_num=%d", s.ReplicationNum))
	}
	if s.CommitOrder == job.CommitOrderPerTable {
		args = append(args, "commit_order="+string(s.CommitOrder))
	}
	if len(s.Include) > 0 {
		args = append(args, "include_tables="+strings.Join(s.Include, " "))
	}
	if len(s.Exclude) > 0 {
		args = append(args, "exclude_tables="+strings.Join(s.Exclude, " "))
	}
	return strings.Join(args, ", ")
}

//go:embed view.html
var viewPage string

//go:embed view.css
var viewStyle string

// pages escape every text that they show.
var pages = template.Must(template.New("view").Parse(viewPage))

// page is what view.html shows.
type page struct {
	Style      template.CSS
	Rows       []viewRow
	Summary    string
	MayOperate bool
	Who        string
	At         string
	Version    string
	// Failure and Back replace the list after a command that failed.
	Failure, Back string
}

func (s *Server) viewHTML(c echo.Context, rows []viewRow) error {
	id := caller(c)
	return s.render(c, http.StatusOK, page{
		Rows: urgentFirst(rows), Summary: summary(rows), MayOperate: id.Role >= access.Operate, Who: id.Name, At: time.Now().Local().Format(time.DateTime), Version: s.version,
	})
}

// urgency is the order of states on the page: what needs a person comes first.
var urgency = []string{viewStalled, viewUnknown, "paused", "running"}

// urgentFirst sorts rows by urgency, those of one state by name. Whose sides differ
// comes right after those that cannot go on.
func urgentFirst(rows []viewRow) []viewRow {
	rows = slices.Clone(rows)
	rank := func(r viewRow) int {
		at := 2 * slices.Index(urgency, r.State)
		if r.Differences != "" {
			at = min(at, 2*slices.Index(urgency, viewUnknown)+1)
		}
		return at
	}
	slices.SortStableFunc(rows, func(a, b viewRow) int { return rank(a) - rank(b) })
	return rows
}

// summary counts the jobs of each state: "12 jobs: 1 stalled, 11 running; source
// and destination of 1 differ".
func summary(rows []viewRow) string {
	count := map[string]int{}
	differ := 0
	for _, r := range rows {
		count[r.State]++
		if r.Differences != "" {
			differ++
		}
	}
	var parts []string
	for _, state := range urgency {
		if n := count[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, state))
		}
	}
	jobs := "jobs"
	if len(rows) == 1 {
		jobs = "job"
	}
	if len(parts) == 0 {
		return "no jobs"
	}
	text := fmt.Sprintf("%d %s: %s", len(rows), jobs, strings.Join(parts, ", "))
	if differ > 0 {
		text += fmt.Sprintf("; source and destination of %d differ", differ)
	}
	return text
}

// render writes a page that may load, run and be framed by nothing.
func (s *Server) render(c echo.Context, status int, p page) error {
	p.Style = template.CSS(viewStyle)
	sum := sha256.Sum256([]byte(viewStyle))
	h := c.Response().Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+
		"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	var out strings.Builder
	if err := pages.Execute(&out, p); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return c.HTML(status, out.String())
}

// viewButton answers a button of the page: it commands the job and shows the
// page again.
func (s *Server) viewButton(signal string) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !fromOwnPage(c.Request()) {
			return s.render(c, http.StatusForbidden, page{
				Failure: "refused: the request does not say that it comes from the page of this server (scripts use /pause and /resume)", Back: "../view",
			})
		}
		c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, bodyLimit)
		name := c.FormValue("name")
		err := errNameEmpty
		if name != "" {
			err = s.carryOut(c, name, signal, job.Command{})
		}
		if err != nil {
			return s.render(c, statusOf(err), page{Failure: describe(err, name).Error(), Back: "../view"})
		}
		return c.Redirect(http.StatusSeeOther, "../view")
	}
}

// fromOwnPage tells whether a browser says that one of our pages sent the
// request. refuseOtherOrigins has refused those that say the contrary; a button
// asks for more, since browsers add a person's token to whatever they send here.
func fromOwnPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && origin.Host == r.Host
}
