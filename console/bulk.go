package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// bulkAtOnce bounds the commands to several jobs that are under way.
const bulkAtOnce = 8

// bulkFor is how long one request gives orders; the page that answers sends the rest. A person sees how far it is, and no
// proxy on the way gives up.
const bulkFor = 3 * time.Second

// bulkData is what the page about an order to several jobs shows.
type bulkData struct {
	Action, Question, Label string
	Says                    []string
	// Names are the jobs that are still to be told.
	Names []string
	// Begun: the order is given. Carried counts the jobs that have carried it out, Of all that are told; Failures are
	// those that have not, with why.
	Begun       bool
	Carried, Of int
	Failures    []bulkFailure
}

// Percent is how far the order is.
func (d bulkData) Percent() int { return 100 * (d.Of - len(d.Names)) / max(d.Of, 1) }

type bulkFailure struct{ Name, Text string }

// bulk asks whether to pause or resume several jobs, and does it when it is sure.
func (s *Console) bulk(v *visit) error {
	form := v.c.Request().PostForm
	a, ok := actionNamed(form.Get("action"))
	if !ok || a.Name != "pause" && a.Name != "resume" {
		return v.failPage(http.StatusNotFound, errNoPage)
	}
	d := bulkData{Action: a.Name, Label: a.Label, Says: a.Says, Names: form["job"]}
	if form.Get("all") != "" {
		var err error
		if d.Names, err = s.namesThatFit(v, form); err != nil {
			return v.failPage(http.StatusServiceUnavailable, err)
		}
	}
	d.Question = v.t("Pause %d jobs?", len(d.Names))
	if a.Name == "resume" {
		d.Question = v.t("Let %d jobs go on?", len(d.Names))
	}
	if form.Get("sure") != "" && len(d.Names) > 0 {
		d.goOn(form)
		s.orderSome(v, a, &d)
		if len(d.Names) == 0 && len(d.Failures) == 0 {
			return v.see("?done=" + a.Name)
		}
	}
	return v.page(http.StatusOK, "bulk", d.Question, "jobs", 0, d)
}

// namesThatFit are the jobs that the list's filter finds, on all its pages.
func (s *Console) namesThatFit(v *visit, form url.Values) ([]string, error) {
	all, err := s.Backend.Jobs(v.c)
	if err != nil {
		return nil, err
	}
	q, now := readJobsQuery(form), s.now()
	var names []string
	for _, j := range all {
		if q.fits(newJobRow(j, now)) {
			names = append(names, j.Name)
		}
	}
	return names, nil
}

// goOn reads how far the requests before this one have come.
func (d *bulkData) goOn(form url.Values) {
	d.Begun = true
	d.Carried, _ = strconv.Atoi(form.Get("carried"))
	for _, text := range form["failed"] {
		name, why, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n") // browsers send the former
		d.Failures = append(d.Failures, bulkFailure{name, why})
	}
	d.Of = d.Carried + len(d.Failures) + len(d.Names)
}

// orderSome tells as many jobs as there is time for, and leaves the names of the others.
func (s *Console) orderSome(v *visit, a action, d *bulkData) {
	signal := map[string]string{"pause": job.SignalPause, "resume": job.SignalResume}[a.Name]
	var (
		mu    sync.Mutex // guards told
		told  int
		begun = time.Now()
		errs  = make([]error, len(d.Names))
		g     sync.WaitGroup
	)
	next := func() (i int, more bool) {
		mu.Lock()
		defer mu.Unlock()
		if told == len(d.Names) || told >= bulkAtOnce && time.Since(begun) > s.bulkFor {
			return 0, false
		}
		told++
		return told - 1, true
	}
	for range bulkAtOnce {
		g.Go(func() {
			for i, more := next(); more; i, more = next() {
				errs[i] = s.Backend.Order(v.c, d.Names[i], signal)
			}
		})
	}
	g.Wait()
	for i, err := range errs[:told] {
		switch {
		case err == nil:
			d.Carried++
		case errors.Is(err, ErrUnknownJob): // it is gone, and need not be told
			d.Of--
		default:
			d.Failures = append(d.Failures, bulkFailure{d.Names[i], err.Error()})
		}
	}
	d.Names = d.Names[told:]
}
