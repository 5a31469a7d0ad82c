package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// jobsAPage is how many jobs one page shows.
const jobsAPage = 100

// jobsRenew is after how many seconds the list renews itself.
const jobsRenew = 10

// jobsQuery is which jobs to show, and in what order.
type jobsQuery struct {
	Search, State, Cluster, Sort string
	Page                         int
}

// The orders of the list. The first is the default.
var sorts = []string{"urgency", "name", "lag", "behind", "full_sync"}

func readJobsQuery(q url.Values) jobsQuery {
	read := jobsQuery{Search: strings.TrimSpace(q.Get("q")), State: q.Get("state"), Cluster: q.Get("cluster"), Sort: q.Get("sort")}
	if !slices.Contains(sorts, read.Sort) {
		read.Sort = sorts[0]
	}
	read.Page, _ = strconv.Atoi(q.Get("page"))
	read.Page = max(read.Page, 1)
	return read
}

// With is the query of the list with one thing changed, from its first page.
func (q jobsQuery) With(key, value string) string {
	v := url.Values{}
	for k, old := range map[string]string{"q": q.Search, "state": q.State, "cluster": q.Cluster, "sort": q.Sort} {
		if k == key {
			old = value
		}
		if old != "" && (k != "sort" || old != sorts[0]) {
			v.Set(k, old)
		}
	}
	if key == "page" {
		v.Set("page", value)
	}
	return "?" + v.Encode()
}

// Filtered tells whether jobs may be left out.
func (q jobsQuery) Filtered() bool { return q.Search != "" || q.State != "" || q.Cluster != "" }

// jobsData is what the list shows.
type jobsData struct {
	jobsQuery
	Rows []jobRow
	// Total counts all jobs, Found those that fit the query.
	Total, Found int
	Counts       []stateCount
	Differing    int
	Clusters     []string
	First, Last  int
	Previous     int
	Next         int
	At           time.Time
	States       []string
	// Done is what has just been carried out, of DoneJob or of several jobs.
	Done, DoneJob string
}

type stateCount struct {
	State string
	Count int
}

// jobRow is one job of the list.
type jobRow struct {
	Name        string
	State       string
	Source      side
	Destination side
	TableJob    bool
	// Lag and Behind are nil while they are not known.
	Lag, Behind *int64
	LagAt       time.Time
	LagOld      bool
	Doing       string
	Problem     *job.Problem
	Error       string
	Differs     int
	FullSyncAt  time.Time
	FullSyncs   int
	Why         string
	Line        sparkline
}

// side is one side of a job in few words.
type side struct{ Cluster, Object string }

func (s *Console) jobsPage(v *visit) error {
	all, err := s.Backend.Jobs(v.c)
	if err != nil {
		return v.failPage(http.StatusServiceUnavailable, err)
	}
	q := readJobsQuery(v.c.QueryParams())
	d := s.listJobs(q, all)
	s.drawLines(v, d.Rows)
	if a, ok := actionNamed(v.c.QueryParam("done")); ok {
		d.Done, d.DoneJob = a.Label, v.c.QueryParam("job")
	}
	return v.page(http.StatusOK, "jobs", v.t("Jobs"), "jobs", jobsRenew, d)
}

// drawLines adds the pictures of the last hour to the rows of one page.
func (s *Console) drawLines(v *visit, rows []jobRow) {
	names := make([]string, 0, len(rows))
	for _, r := range rows {
		names = append(names, r.Name)
	}
	slices.Sort(names) // the same question, however they are sorted
	known := s.Backend.Samples(v.c, names, linePoints)
	for i := range rows {
		if k, ok := known[rows[i].Name]; ok {
			rows[i].Line = newSparkline(k.Lag)
		}
	}
}

// listJobs picks the rows of one page.
func (s *Console) listJobs(q jobsQuery, all []Job) jobsData {
	d := jobsData{jobsQuery: q, Total: len(all), At: s.now(), States: states}
	counts, clusters := map[string]int{}, map[string]bool{}
	var found []jobRow
	for _, j := range all {
		r := newJobRow(j, d.At)
		counts[r.State]++
		if r.Differs > 0 {
			d.Differing++
		}
		for _, c := range []string{r.Source.Cluster, r.Destination.Cluster} {
			if c != "" {
				clusters[c] = true
			}
		}
		if q.fits(r) {
			found = append(found, r)
		}
	}
	for _, state := range states {
		if counts[state] > 0 {
			d.Counts = append(d.Counts, stateCount{state, counts[state]})
		}
	}
	for c := range clusters {
		d.Clusters = append(d.Clusters, c)
	}
	slices.Sort(d.Clusters)
	slices.SortStableFunc(found, orderBy(q.Sort))
	d.Found = len(found)
	pages := max((d.Found+jobsAPage-1)/jobsAPage, 1)
	d.Page = min(q.Page, pages)
	d.First = (d.Page - 1) * jobsAPage
	d.Last = min(d.First+jobsAPage, d.Found)
	d.Rows = found[d.First:d.Last]
	if d.Page > 1 {
		d.Previous = d.Page - 1
	}
	if d.Page < pages {
		d.Next = d.Page + 1
	}
	d.First++
	return d
}

func newJobRow(j Job, now time.Time) jobRow {
	r := jobRow{Name: j.Name, State: stateOf(j)}
	if j.Err != nil {
		r.Error = j.Err.Error()
		return r
	}
	s := j.Status
	r.Source, r.Destination = sideOf(j.Spec.Source), sideOf(j.Spec.Destination)
	r.TableJob = j.Spec.Type() == job.TableSync
	r.Doing, r.Problem, r.Differs = s.Doing, s.Problem, len(s.Differences)
	r.FullSyncAt, r.FullSyncs, r.Why = s.FullSyncAt, s.FullSyncs, s.FullSyncReason
	if at := s.Lag.ObservedAt; !at.IsZero() {
		lag := s.Lag.Binlogs
		r.Lag, r.LagAt, r.LagOld = &lag, at, now.Sub(at) > time.Minute
		if age, known := s.Lag.Behind(now); known {
			seconds := int64(age / time.Second)
			r.Behind = &seconds
		}
	}
	return r
}

func stateOf(j Job) string {
	switch s := j.Status; {
	case j.Err != nil:
		return stateUnknown
	case s.Phase == job.PhaseDeleting:
		return stateEnding
	case s.Stalled:
		return stateStalled
	case !s.Running:
		return statePaused
	case s.Phase == job.PhaseCheck || s.Phase == job.PhaseTakeSnapshot || s.Phase == job.PhaseRestore || s.Phase == job.PhaseFinishSnapshot:
		return stateCopying
	}
	return stateRunning
}

func sideOf(c job.Cluster) side {
	object := c.Database
	if c.Table != "" {
		object += "." + c.Table
	}
	return side{Cluster: addressOf(c), Object: object}
}

// addressOf is what the console calls a cluster: the frontend that the job was given.
func addressOf(c job.Cluster) string { return c.Host + ":" + strconv.Itoa(c.Port) }

// fits tells whether a job is to be shown.
func (q jobsQuery) fits(r jobRow) bool {
	switch q.State {
	case "":
	case "differs":
		if r.Differs == 0 {
			return false
		}
	default:
		if r.State != q.State {
			return false
		}
	}
	if q.Cluster != "" && r.Source.Cluster != q.Cluster && r.Destination.Cluster != q.Cluster {
		return false
	}
	for _, word := range strings.Fields(strings.ToLower(q.Search)) {
		text := strings.ToLower(strings.Join([]string{r.Name, r.Source.Cluster, r.Source.Object, r.Destination.Cluster, r.Destination.Object}, " "))
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// orderBy is how the list is sorted; jobs are sorted by name before.
func orderBy(by string) func(a, b jobRow) int {
	most := func(value func(jobRow) *int64) func(a, b jobRow) int {
		of := func(r jobRow) int64 {
			if n := value(r); n != nil {
				return *n
			}
			return -1
		}
		return func(a, b jobRow) int { return cmp.Compare(of(b), of(a)) }
	}
	switch by {
	case "name":
		return func(a, b jobRow) int { return strings.Compare(a.Name, b.Name) }
	case "lag":
		return most(func(r jobRow) *int64 { return r.Lag })
	case "behind":
		return most(func(r jobRow) *int64 { return r.Behind })
	case "full_sync":
		return func(a, b jobRow) int { return b.FullSyncAt.Compare(a.FullSyncAt) }
	}
	rank := func(r jobRow) int {
		at := 2 * slices.Index(states, r.State)
		if r.Differs > 0 {
			at = min(at, 2*slices.Index(states, stateUnknown)+1)
		}
		return at
	}
	return func(a, b jobRow) int { return rank(a) - rank(b) }
}
