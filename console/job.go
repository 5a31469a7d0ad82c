package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// jobRenew is after how many seconds the page of a job renews itself, busyRenew while it has something to tell.
const (
	jobRenew  = 10
	busyRenew = 2
)

// ErrUnknownJob: there is no job of that name.
var ErrUnknownJob = errors.New("there is no such job")

// The parts of a job's page.
const (
	tabOverview = ""
	tabTables   = "tables"
	tabEvents   = "events"
	tabVerify   = "verify"
)

// jobData is what the page of a job shows.
type jobData struct {
	jobRow
	Tab    string
	Spec   job.Spec
	Status job.Status
	At     time.Time
	// Temporal is the address of the job's workflow in the Temporal Web UI, "" if that is not known.
	Temporal string
	// Progress is nil if the job has not told it.
	Progress *job.Progress
	Fixes    []fix
	Settings []setting
	Tables   *tablesData
	Events   []job.Event // the newest first
	Copies   []job.Event // those of full and partial syncs, the newest first
	Menu     []menuGroup
	// Done is what has just been carried out, "" if nothing has.
	Done   string
	Verify *verifyData
	// Rest is how many seconds the snapshot takes at the pace so far, nil if that is not known.
	Rest   *int64
	Charts []chart
	// ChartEvery are the seconds from one value of a chart to the next, ChartEnd the Unix seconds of the last.
	ChartEvery, ChartEnd int64
}

// verifyData is what is known of the verifications of a job.
type verifyData struct {
	Report   *job.VerifyReport
	Schedule string
	Result   string
	Over     bool
	// Percent is how far it is, of the tables.
	Percent int
}

// setting is one thing that the job was asked to do otherwise than by default.
type setting struct{ Name, Value string }

func (s *Console) jobPage(v *visit) error {
	name := v.c.QueryParam("name")
	one, err := s.Backend.Job(v.c, name)
	if errors.Is(err, ErrUnknownJob) {
		return v.failPage(http.StatusNotFound, err)
	}
	if err != nil {
		one = Job{Name: name, Err: err}
	}
	d := s.newJobData(one)
	d.Tab = v.c.QueryParam("tab")
	d.Menu = menu(one, v.identity.Role)
	d.Fixes = slices.DeleteFunc(d.Fixes, func(f fix) bool {
		a, ok := actionNamed(f.Action)
		return !ok || v.identity.Role < a.Role
	})
	if a, ok := actionNamed(v.c.QueryParam("done")); ok {
		d.Done = a.Label
	}
	if err == nil {
		if err := s.fillTab(v, &d); err != nil {
			d.Error = err.Error()
		}
	}
	renew := jobRenew
	if d.State == stateCopying || d.Verify != nil && d.Verify.Report != nil && !d.Verify.Over {
		renew = busyRenew
	}
	if d.Tables != nil && d.Tables.Sizes != nil {
		renew = 0 // nobody wants to count again and again
	}
	return v.page(http.StatusOK, "job", name, "jobs", renew, d)
}

func (s *Console) newJobData(one Job) jobData {
	d := jobData{jobRow: newJobRow(one, s.now()), Spec: one.Spec, Status: one.Status, At: s.now(), Temporal: s.workflowAddress(one.Name)}
	if one.Err == nil {
		if c := one.Status.Copying; c != nil {
			if rest, known := c.Remaining(s.now()); known {
				seconds := int64(rest / time.Second)
				d.Rest = &seconds
			}
		}
		d.Fixes, d.Settings = fixes(one), settings(one.Spec)
	}
	return d
}

// fillTab adds what only one part of the page shows.
func (s *Console) fillTab(v *visit, d *jobData) error {
	if d.Tab == tabVerify {
		report, schedule, err := s.Backend.Verification(v.c, d.Name)
		d.Verify = newVerifyData(report, schedule)
		return err
	}
	p, err := s.Backend.Progress(v.c, d.Name)
	if err != nil {
		return err
	}
	d.Progress = &p
	switch d.Tab {
	case tabTables:
		d.Tables = newTables(&p, &d.Status, v.c.QueryParam("q"), v.c.QueryParam("page"))
		if last := d.Status.Verified; last != nil {
			report, err := s.Backend.EndedVerification(v.c, d.Name, last.Report)
			if err != nil {
				return err
			}
			addVerified(d.Tables.Rows, report)
		}
		if v.c.QueryParam("count") != "" {
			s.count(v, d)
		}
	case tabEvents:
		d.Events = slices.Clone(p.Events)
		slices.Reverse(d.Events)
	default:
		d.Tab = tabOverview
		d.Events = slices.Clone(p.Events)
		slices.Reverse(d.Events)
		d.Copies = copies(d.Events)
		d.Events = d.Events[:min(len(d.Events), 6)]
		d.Charts = newCharts(v.lang, s.Backend.Samples(v.c, []string{d.Name}, job.SamplesKept)[d.Name])
		d.ChartEvery, d.ChartEnd = int64(job.SampleEvery/time.Second), d.At.Unix()
	}
	return nil
}

// copiesShown bounds the history of full and partial syncs that is shown.
const copiesShown = 12

// copies are the events about full and partial syncs.
func copies(events []job.Event) []job.Event {
	var list []job.Event
	for _, e := range events {
		if len(list) < copiesShown && e.Sync {
			list = append(list, e)
		}
	}
	return list
}

func newVerifyData(report *job.VerifyReport, schedule string) *verifyData {
	d := &verifyData{Report: report, Schedule: schedule}
	if report != nil {
		d.Over = !report.EndedAt.IsZero() || report.State == job.VerifyFailed
		if d.Over {
			d.Result = report.Result()
		}
		if report.Total > 0 {
			d.Percent = 100 * (report.Equal + report.Different + report.Repaired + report.Busy + report.NotComparable) / report.Total
		}
	}
	return d
}

// workflowAddress is where the Temporal Web UI shows the workflow of a job.
func (s *Console) workflowAddress(name string) string {
	if s.TemporalUI == "" {
		return ""
	}
	return strings.TrimSuffix(s.TemporalUI, "/") + "/namespaces/" + s.Namespace + "/workflows/" + job.WorkflowID(name)
}

// fix is a command that may help.
type fix struct {
	Action string // of the page that asks whether to do it
	Label  string
}

// fixes are the commands that may help a job which cannot go on, the gentlest first.
func fixes(j Job) []fix {
	s := j.Status
	if s.Phase == job.PhaseDeleting {
		return nil
	}
	if !s.Running {
		return []fix{{"resume", "Resume"}}
	}
	if s.Problem == nil {
		return nil
	}
	var f []fix
	for _, r := range remedies {
		if a, ok := actionNamed(r.action); ok && strings.Contains(s.Problem.Remedy, r.names) && (a.offered == nil || a.offered(j)) {
			f = append(f, fix{r.action, a.Label})
		}
	}
	f = append(f, fix{"resume", "Try again now"})
	if s.Problem.At(s.Position.CommitSeq) {
		f = append(f, fix{"skip", "Leave this binlog out"})
	}
	return f
}

// remedies are the actions that the texts of remedies name in the words of the interface.
var remedies = []struct{ names, action string }{
	{"update_host_mapping", "hosts"}, {"update_hosts", "addresses"}, {"update_options", "options"}, {"update_credentials", "credentials"}, {"update_tables", "tables"},
	{"force_fullsync", "full_sync"}, {"partialsync", "partial_sync"}, {"repair", "repair"},
}

// settings lists the options of a job that are not what they are by default.
func settings(s job.Spec) []setting {
	var list []setting
	add := func(name, value string) { list = append(list, setting{name, value}) }
	if s.ReplicationNum > 0 {
		add("replication_num", strconv.Itoa(s.ReplicationNum))
	}
	if s.CommitOrder == job.CommitOrderPerTable {
		add("commit_order", string(s.CommitOrder))
	}
	if s.ReuseBinlogLabel {
		add("reuse_binlog_label", "true")
	}
	if s.AllowTableExists {
		add("allow_table_exists", "true")
	}
	if len(s.Include) > 0 {
		add("include_tables", strings.Join(s.Include, " "))
	}
	if len(s.Exclude) > 0 {
		add("exclude_tables", strings.Join(s.Exclude, " "))
	}
	return list
}

// tablesAPage is how many tables one page shows.
const tablesAPage = 200

// tablesData is what a job knows of its tables.
type tablesData struct {
	Search         string
	Rows           []tableRow
	Total, Found   int
	Page           int
	Previous, Next int
	First, Last    int
	// Filtered: binlogs up to the positions shown are contained in snapshots.
	Filtered bool
	// Sizes is nil unless somebody has asked for them.
	Sizes *sizesData
}

// tableRow is one table or view.
type tableRow struct {
	Name        string
	ID, DestID  int64
	Kind        string
	State       string
	Note        string
	CommitSeq   int64
	Differs     []job.Difference
	NotCompared string
	// Brought is which snapshot has brought it, and why.
	Brought job.TableBrought
	// Verified is what the last verification has found, nil if it was not about the table.
	Verified *job.VerifiedTable
	// Source and Destination are sizes, nil if they are not known.
	Source, Destination *job.TableSize
}

// The states of a table that the console tells apart.
const (
	tableFollows = "follows"
	tableCopying = "is copied"
	tableWaits   = "waits for its copy"
	tableAhead   = "ahead of the job"
	tableGone    = "gone at the source"
	tableUnsure  = "is copied with its next load"
	tableDiffers = "differs"
	tableOutside = "definition only"
)

func newTables(p *job.Progress, s *job.Status, search, page string) *tablesData {
	d := &tablesData{Search: strings.TrimSpace(search), Total: len(p.Tables)}
	var rows []tableRow
	for id, t := range p.Tables {
		if d.Search != "" && !strings.Contains(strings.ToLower(t.Name), strings.ToLower(d.Search)) {
			continue
		}
		rows = append(rows, newTableRow(id, t, p, s))
	}
	for _, awaited := range p.Awaited {
		if _, known := p.Tables[awaited.TableID]; !known && (d.Search == "" || strings.Contains(strings.ToLower(awaited.Table), strings.ToLower(d.Search))) {
			rows = append(rows, tableRow{Name: awaited.Table, ID: awaited.TableID, State: tableWaits, Note: awaited.Why})
			d.Total++
		}
	}
	slices.SortFunc(rows, func(a, b tableRow) int { return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	d.Found = len(rows)
	d.Page, _ = strconv.Atoi(page)
	pages := max((d.Found+tablesAPage-1)/tablesAPage, 1)
	d.Page = min(max(d.Page, 1), pages)
	d.First = (d.Page - 1) * tablesAPage
	d.Last = min(d.First+tablesAPage, d.Found)
	d.Rows = rows[d.First:d.Last]
	d.First++
	if d.Page > 1 {
		d.Previous = d.Page - 1
	}
	if d.Page < pages {
		d.Next = d.Page + 1
	}
	return d
}

func newTableRow(id int64, t job.Table, p *job.Progress, s *job.Status) tableRow {
	r := tableRow{Name: t.Name, ID: id, DestID: t.DestID, State: tableFollows, CommitSeq: t.CommitSeq}
	if t.View {
		r.Kind = "view"
	}
	if t.External {
		r.Kind, r.State, r.ID = "external", tableOutside, 0
	}
	for _, d := range s.Differences {
		if d.Table == t.Name {
			r.Differs, r.State = append(r.Differs, d), tableDiffers
		}
	}
	if c := s.Comparing; c != nil {
		for _, n := range c.NotCompared {
			if n.Table == t.Name {
				r.NotCompared = n.Text
			}
		}
	}
	copying := p.Snapshot != nil && (p.Snapshot.Partial == nil || p.Snapshot.Partial.TableID == id)
	switch {
	case copying:
		r.State, r.Note = tableCopying, p.Snapshot.Reason
	case t.Gone:
		r.State = tableGone
	case t.Unconfirmed:
		r.State = tableUnsure
	case t.CommitSeq > p.Position.CommitSeq:
		r.State = tableAhead
	}
	if !t.External {
		r.Brought = p.BroughtTable(id)
	}
	return r
}
