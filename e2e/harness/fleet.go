package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// fleetKey is the secret key of a fleet's processes.
const fleetKey = "CCR_SECRET_KEY=" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// Fleet is ccr as in production: API servers and workers, each a process of its
// own, against a Temporal that runs beside them.
type Fleet struct {
	Dir string
	// Temporal is what the processes are given as --temporal-address.
	Temporal string
	// Env is given to every process in addition; a later setting wins.
	Env     []string
	APIs    []*API
	Workers []*Member
}

// Member is a process that can be killed and started again at its old address.
type Member struct {
	*Process
	// Address is where it answers /healthz.
	Address string
	start   func() (*Process, error)
}

// API is an API server and a client of it.
type API struct {
	Member
	*CCR
}

// AddAPI starts one more API server, with args in addition.
func (f *Fleet) AddAPI(ctx context.Context, args ...string) error {
	return f.addAPI(ctx, "", args...)
}

// AddAPIOf is AddAPI with another binary than that of bin/: one of an earlier version,
// to compare with.
func (f *Fleet) AddAPIOf(ctx context.Context, binary string, args ...string) error {
	return f.addAPI(ctx, binary, args...)
}

func (f *Fleet) addAPI(ctx context.Context, binary string, args ...string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	a := &API{CCR: &CCR{DataDir: f.Dir, API: address}}
	a.http.Timeout = 60 * time.Second
	a.Member = f.member(binary, "api", len(f.APIs)+1, address, append([]string{"--listen", address}, args...))
	f.APIs = append(f.APIs, a)
	return a.Member.Start(ctx)
}

// AddWorker starts one more worker, with args in addition.
func (f *Fleet) AddWorker(ctx context.Context, args ...string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	w := f.member("", "worker", len(f.Workers)+1, address, append([]string{"--metrics-listen", address}, args...))
	f.Workers = append(f.Workers, &w)
	return w.Start(ctx)
}

// member is `ccr <part>`, not started yet; binary is "" for that of bin/.
func (f *Fleet) member(binary, part string, number int, address string, args []string) Member {
	name := part + strconv.Itoa(number)
	return Member{Address: address, start: func() (_ *Process, err error) {
		path := binary
		if path == "" {
			if path, err = Binary("ccr"); err != nil {
				return nil, err
			}
		}
		return StartProcess(name, path, filepath.Join(f.Dir, name+".log"), append([]string{fleetKey}, f.Env...),
			append([]string{part, "--temporal-address", f.Temporal}, args...)...)
	}}
}

// Start runs the process and waits until it is ready.
func (m *Member) Start(ctx context.Context) error {
	p, err := m.start()
	if err != nil {
		return err
	}
	m.Process = p
	return Await(ctx, readyWithin, func(ctx context.Context) error {
		if p.Exited() {
			return fmt.Errorf("%s has ended: %w; its last lines:\n%s", p.Name, ErrGiveUp, p.Tail(40))
		}
		return healthy(ctx, m.Address)
	})
}

func healthy(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("health of %s: %w", address, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("health of %s: %w", address, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("health of %s: %s", address, resp.Status)
	}
	return nil
}

// Stop ends all processes: the API servers, then the workers.
func (f *Fleet) Stop() error {
	var errs []error
	for _, a := range f.APIs {
		errs = append(errs, a.Member.Stop())
	}
	for _, w := range f.Workers {
		errs = append(errs, w.Stop())
	}
	return errors.Join(errs...)
}

// Stop ends the process gracefully, if it runs.
func (m *Member) Stop() error {
	if m.Process == nil || m.Exited() {
		return nil
	}
	return m.Process.Stop(40 * time.Second)
}

// Runs tells whether the shift of the job is under way on this worker.
func (m *Member) Runs(ctx context.Context, c client.Client, name string) (bool, error) {
	d, err := c.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
	if err != nil {
		return false, fmt.Errorf("look at job %s: %w", name, err)
	}
	for _, a := range d.GetPendingActivities() {
		// The SDK's identity of a worker is pid@host@.
		var pid int
		if _, err := fmt.Sscanf(a.GetLastWorkerIdentity(), "%d@", &pid); err == nil && pid == m.PID() &&
			job.StepName(a.GetActivityType().GetName()) == job.ActivityStream {
			return true, nil
		}
	}
	return false, nil
}

// StartEmbeddedTemporal runs `ccr-standalone temporal` below dir, with its Web
// UI at ui if that is not "". It returns the address of its frontend.
func StartEmbeddedTemporal(ctx context.Context, dir, ui string) (*Process, string, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	p, err := StartEmbeddedTemporalAt(ctx, dir, address, ui)
	return p, address, err
}

// StartEmbeddedTemporalAt is StartEmbeddedTemporal at an address: again, after it has
// died.
func StartEmbeddedTemporalAt(ctx context.Context, dir, address, ui string) (*Process, error) {
	path, err := Binary("ccr-standalone")
	if err != nil {
		return nil, err
	}
	p, err := StartProcess("temporal", path, filepath.Join(dir, "temporal.log"), nil,
		"temporal", "--data-dir", dir, "--temporal-listen", address, "--ui-listen", ui)
	if err != nil {
		return nil, err
	}
	if err := AwaitTemporal(ctx, address, p); err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// AwaitTemporal waits until the frontend serves the namespace "default".
func AwaitTemporal(ctx context.Context, address string, p *Process) error {
	return Await(ctx, readyWithin, func(ctx context.Context) error {
		if p.Exited() {
			return fmt.Errorf("%s has ended: %w; its last lines:\n%s", p.Name, ErrGiveUp, p.Tail(40))
		}
		c, err := client.DialContext(ctx, client.Options{HostPort: address, Logger: quiet{}})
		if err != nil {
			return fmt.Errorf("temporal at %s: %w", address, err)
		}
		c.Close()
		return nil
	})
}

// quiet is a log of the Temporal SDK that nobody reads.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

func freeAddress() (string, error) {
	ports, err := FreePorts(1)
	if err != nil {
		return "", err
	}
	return "127.0.0.1:" + strconv.Itoa(ports[0]), nil
}
