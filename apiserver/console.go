package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/console"
	"github.com/doris-ccr/ccr/job"
)

// consoleSessions is the purpose for which the keys of the console's sessions are derived.
const consoleSessions = "sessions of the console"

// newConsole makes the pages at "/". They show and order through the same functions as the HTTP interface.
func (s *Server) newConsole(o Options) (*console.Console, error) {
	return console.New(console.Options{
		Backend: consoleBackend{s}, Tokens: o.Tokens, Sessions: access.NewSessions(o.Tokens, o.Keyring.Derive(consoleSessions)),
		Version: o.Version, Enter: s.enter, TemporalUI: o.TemporalUI, Namespace: o.Namespace, Logger: o.Logger,
	})
}

// enter notes who sends a request that somebody else has let through.
func (s *Server) enter(c echo.Context, id access.Identity, needed access.Role) {
	c.Set(callerKey, id)
	if needed > access.Read {
		c.Response().Before(s.answers.forget)
	}
}

// addConsole routes the console's addresses. "/" has nothing for other methods, as ever.
func (s *Server) addConsole(e *echo.Echo, pages *console.Console) {
	for _, r := range pages.Routes() {
		e.Add(r.Method, r.Path, r.Handle)
		if r.Method == http.MethodGet {
			e.HEAD(r.Path, r.Handle)
		}
	}
	e.RouteNotFound("/", func(echo.Context) error { return echo.ErrNotFound })
}

// consoleBackend is what the console shows and orders.
type consoleBackend struct{ s *Server }

// Jobs implements console.Backend.
func (b consoleBackend) Jobs(c echo.Context) ([]console.Job, error) {
	rows, err := b.s.overview.all(c.Request().Context())
	if err != nil {
		return nil, err
	}
	all := make([]console.Job, 0, len(rows))
	for _, r := range rows {
		if !errors.Is(r.err, errUnknownJob) { // else deleted since the names were listed
			all = append(all, console.Job{Name: r.name, Spec: r.spec, Status: r.status, Err: r.err})
		}
	}
	return all, nil
}

// Job implements console.Backend.
func (b consoleBackend) Job(c echo.Context, name string) (console.Job, error) {
	one, err := question(b.s, c, "console", name, func(ctx context.Context, name string) (one console.Job, err error) {
		one.Name = name
		if one.Status, err = b.s.jobs.status(ctx, name); err == nil {
			err = b.s.jobs.query(ctx, name, job.QueryDetail, &one.Spec)
		}
		return one, err
	})
	return one, consoleError(err)
}

// Progress implements console.Backend.
func (b consoleBackend) Progress(c echo.Context, name string) (job.Progress, error) {
	p, err := question(b.s, c, "progress", name, b.s.jobs.progress)
	return p.Progress, consoleError(err)
}

// samplesKept is how long the last hour of jobs is shown again: a new sample comes every 15 s.
const samplesKept = 5 * time.Second

// Samples implements console.Backend.
func (b consoleBackend) Samples(c echo.Context, names []string, points int) job.SamplesKnown {
	ctx, cancel := context.WithTimeout(c.Request().Context(), workerTimeout)
	defer cancel()
	what := fmt.Sprintf("samples %d", points)
	known, err := once(ctx, b.s.answers, samplesKept, what, strings.Join(names, " "), func(ctx context.Context) (job.SamplesKnown, error) {
		return b.s.jobs.workers.samples(ctx, names, points), nil
	})
	if err != nil {
		return nil // pictures are missing
	}
	return known
}

// Verification implements console.Backend.
func (b consoleBackend) Verification(c echo.Context, name string) (*job.VerifyReport, string, error) {
	o, err := b.s.verifications(c, name, "")
	if err != nil {
		return nil, "", consoleError(err)
	}
	schedule := ""
	if o.Schedule != nil {
		schedule = o.Schedule.text()
	}
	return o.Report, schedule, nil
}

// reportKept is how long the report of a verification that has ended is shown again: it never changes, and may have
// megabytes.
const reportKept = 5 * time.Minute

// EndedVerification implements console.Backend.
func (b consoleBackend) EndedVerification(c echo.Context, name, report string) (*job.VerifyReport, error) {
	ctx, cancel := b.s.answerContext(c)
	defer cancel()
	return once(ctx, b.s.reports, reportKept, report, name, slotted(b.s.answers, func(ctx context.Context) (*job.VerifyReport, error) {
		r, err := b.s.jobs.verifyReport(ctx, name, report)
		if errors.Is(err, errNoVerification) {
			return nil, nil // Temporal has forgotten it
		}
		return r, err
	}))
}

// Clusters implements console.Backend.
func (b consoleBackend) Clusters(c echo.Context) ([]console.Cluster, []string, error) {
	ctx, cancel := b.s.answerContext(c)
	defer cancel()
	seen, err := b.s.Clusters(ctx)
	if err != nil {
		return nil, nil, err
	}
	var clusters []console.Cluster
	for _, found := range seen.Clusters {
		one := console.Cluster{Name: found.Name, SeenThrough: found.SeenThrough, Seen: found.ClusterSeen}
		for _, j := range found.Jobs {
			shown := console.ClusterJob{Name: j.Name, Side: j.Side, Object: object(job.Cluster{Database: j.Database, Table: j.Table}), State: j.State}
			if j.PlaceKeptUntil != nil {
				shown.PlaceKeptUntil = *j.PlaceKeptUntil
			}
			one.Jobs = append(one.Jobs, shown)
		}
		clusters = append(clusters, one)
	}
	return clusters, seen.Unanswered, nil
}

// TableSizes implements console.Backend.
func (b consoleBackend) TableSizes(c echo.Context, wanted job.TableSizesWanted) (job.TableSizes, error) {
	ctx, cancel := b.s.answerContext(c)
	defer cancel()
	return b.s.tableSizes(ctx, wanted)
}

// Binlogs implements console.Backend.
func (b consoleBackend) Binlogs(c echo.Context, name string, commitSeq int64, limit int) (job.BinlogsAhead, error) {
	seen, err := b.s.binlogsAhead(c, name, binlogsOptions{Limit: limit, CommitSeq: commitSeq})
	return seen, consoleError(err)
}

// Check implements console.Backend.
func (b consoleBackend) Check(c echo.Context, body []byte) (job.CheckReport, error) {
	var request createRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return job.CheckReport{}, inJSONWords(err)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), b.s.createTimeout)
	defer cancel()
	return b.s.check(ctx, request)
}

// Create implements console.Backend.
func (b consoleBackend) Create(c echo.Context, body []byte) error {
	var request createRequest
	if err := json.Unmarshal(body, &request); err != nil {
		return inJSONWords(err)
	}
	return consoleError(b.s.createJob(c, request, passedOver(body)))
}

// ChangeCredentials implements console.Backend.
func (b consoleBackend) ChangeCredentials(c echo.Context, name string, source, destination console.Login, force bool) error {
	return consoleError(b.s.updateCredentials(c, name, credentialsChange{
		Src: &loginRequest{User: source.User, Password: source.Password}, Dest: &loginRequest{User: destination.User, Password: destination.Password}, Force: force,
	}))
}

// ChangeAddresses implements console.Backend.
func (b consoleBackend) ChangeAddresses(c echo.Context, name string, source, destination console.Address, force bool) error {
	request := func(a console.Address) *addressRequest {
		return &addressRequest{Host: a.Host, Port: port(a.Port), ThriftPort: port(a.ThriftPort), TLS: a.TLS, TLSCA: a.TLSCA}
	}
	return consoleError(b.s.updateHosts(c, name, hostsChange{Src: request(source), Dest: request(destination), Force: force}))
}

// UpdateOptions implements console.Backend.
func (b consoleBackend) UpdateOptions(c echo.Context, name string, options job.UpdateOptions) error {
	return consoleError(b.s.updateOptions(c, name, options))
}

// Order implements console.Backend.
func (b consoleBackend) Order(c echo.Context, name, signal string) error {
	return consoleError(b.s.carryOut(c, name, signal, job.Command{}))
}

// SkipBinlog implements console.Backend.
func (b consoleBackend) SkipBinlog(c echo.Context, name string, skip job.SkipBinlog) error {
	return consoleError(b.s.skipBinlog(c, name, skip))
}

// MapHosts implements console.Backend.
func (b consoleBackend) MapHosts(c echo.Context, name string, mappings job.HostMappings) error {
	return consoleError(b.s.mapHosts(c, name, mappings))
}

// UpdateTables implements console.Backend.
func (b consoleBackend) UpdateTables(c echo.Context, name string, update job.UpdateTables) error {
	return consoleError(b.s.updateTables(c, name, update))
}

// Delete implements console.Backend.
func (b consoleBackend) Delete(c echo.Context, name string) error {
	return consoleError(b.s.deleteJob(c, name))
}

// Verify implements console.Backend.
func (b consoleBackend) Verify(c echo.Context, name string, o console.VerifyOrder) error {
	_, err := b.s.verify(c, name, verifyOptions{
		Tables: o.Tables, Method: o.Method, Repair: o.Repair, Replicas: o.Replicas, Rate: o.Rate, Every: o.Every, Window: o.Window,
	})
	return consoleError(err)
}

// Repair implements console.Backend.
func (b consoleBackend) Repair(c echo.Context, name string) error {
	_, err := b.s.repair(c, name, repairOptions{})
	return consoleError(err)
}

// SteerVerification implements console.Backend.
func (b consoleBackend) SteerVerification(c echo.Context, name, signal string) error {
	return consoleError(b.s.commandVerification(c, name, signal))
}

// consoleError is an error in the console's words.
func consoleError(err error) error {
	switch {
	case errors.Is(err, errUnknownJob):
		return console.ErrUnknownJob
	case errors.Is(err, errPending):
		return console.Pending(err)
	}
	return err
}
