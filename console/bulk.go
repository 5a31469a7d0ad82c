package console

import (
	"errors"
	"net/http"
	"net/url"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/job"
)

// bulkAtOnce bounds the commands to several jobs that are under way.
const bulkAtOnce = 8

// bulkData is what the page about an order to several jobs shows.
type bulkData struct {
	Action, Question, Label string
	Says                    []string
	Names                   []string
	// Done: the order was given. Failed are the jobs that have not carried it out, with why.
	Done     bool
	Carried  int
	Failures []bulkFailure
}

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
		s.orderAll(v, a, &d)
		if len(d.Failures) == 0 {
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

func (s *Console) orderAll(v *visit, a action, d *bulkData) {
	signal := map[string]string{"pause": job.SignalPause, "resume": job.SignalResume}[a.Name]
	errs := make([]error, len(d.Names))
	var g errgroup.Group
	g.SetLimit(bulkAtOnce)
	for i, name := range d.Names {
		g.Go(func() error {
			errs[i] = s.Backend.Order(v.c, name, signal)
			return nil
		})
	}
	_ = g.Wait() // no function above fails
	d.Done = true
	for i, err := range errs {
		switch {
		case err == nil:
			d.Carried++
		case !errors.Is(err, ErrUnknownJob): // else it is gone, and need not be paused
			d.Failures = append(d.Failures, bulkFailure{d.Names[i], err.Error()})
		}
	}
}
