package harness

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"
)

// ProbeJobs are jobs of a fleet, each with a database of its own in which a
// probe writes into one table.
type ProbeJobs struct {
	Names  []string // of the jobs and of their databases, on both sides
	Probes []*Probe

	src, dst *sql.DB
}

// ProbeEvery is the pace of the probes of jobs.
const ProbeEvery = 20 * time.Millisecond

// StartProbeJobs makes n databases and jobs and starts a probe in each as soon
// as its job streams.
func StartProbeJobs(ctx context.Context, pair *Pair, api *CCR, src, dst *sql.DB, prefix string, n int) (*ProbeJobs, error) {
	p := &ProbeJobs{src: src, dst: dst}
	for i := range n {
		name := prefix + strconv.Itoa(i)
		p.Names = append(p.Names, name)
		for _, s := range []string{
			"CREATE DATABASE " + name,
			fmt.Sprintf("CREATE TABLE %s.p %s", name, ProbeTable),
			fmt.Sprintf(`ALTER DATABASE %s SET PROPERTIES ("binlog.enable" = "true")`, name),
		} {
			if _, err := src.ExecContext(ctx, s); err != nil {
				return nil, fmt.Errorf("%s: %w", s, err)
			}
		}
		if _, err := api.Call(ctx, "create_ccr", map[string]any{"name": name,
			"src": pair.Source.Spec(name, ""), "dest": pair.Destination.Spec(name, "")}); err != nil {
			return nil, err
		}
	}
	for _, name := range p.Names {
		if err := api.awaitStreaming(ctx, name); err != nil {
			return nil, errors.Join(err, p.Stop())
		}
		p.Probes = append(p.Probes, StartProbe(ctx, src, dst, name+".p", ProbeEvery))
	}
	return p, nil
}

// patience is what the jobs of probes get for anything. Generous: much else may
// run on the machine.
const patience = 2 * time.Minute

func (c *CCR) awaitStreaming(ctx context.Context, name string) error {
	return Await(ctx, patience, func(ctx context.Context) error {
		s, err := c.Status(ctx, name)
		if err == nil && s.Phase != "stream" {
			err = fmt.Errorf("job %s is in %s: %s", name, s.Phase, s.LastError.Text)
		}
		return err
	})
}

// AwaitAt waits until all jobs stream on the worker.
func (p *ProbeJobs) AwaitAt(ctx context.Context, c client.Client, w *Member) error {
	return Await(ctx, patience, func(ctx context.Context) error {
		for _, name := range p.Names {
			here, err := w.Runs(ctx, c, name)
			if err == nil && !here {
				err = fmt.Errorf("%s does not run job %s", w.Name, name)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// AwaitNew waits until each job has brought a row that was written just now.
func (p *ProbeJobs) AwaitNew(ctx context.Context) error {
	for _, probe := range p.Probes {
		if err := probe.AwaitNew(ctx, patience); err != nil {
			return err
		}
	}
	return nil
}

// AwaitRecovered waits until each job has brought every row of an interruption
// that has begun: rows that still wait would count for the next one.
func (p *ProbeJobs) AwaitRecovered(ctx context.Context) error {
	if err := p.AwaitNew(ctx); err != nil {
		return err
	}
	return p.AwaitNew(ctx)
}

// Mark notes how many rows each job has brought, for Since.
func (p *ProbeJobs) Mark() []int {
	var rows []int
	for _, probe := range p.Probes {
		_, seen := probe.Rows()
		rows = append(rows, seen)
	}
	return rows
}

// Since returns, for each job, the median and the longest time that the rows
// after the mark took.
func (p *ProbeJobs) Since(mark []int) (medians, longest []time.Duration) {
	for i, probe := range p.Probes {
		m, l := probe.Since(mark[i])
		medians, longest = append(medians, m), append(longest, l)
	}
	return medians, longest
}

// Stop ends the probes.
func (p *ProbeJobs) Stop() error {
	var errs []error
	for _, probe := range p.Probes {
		errs = append(errs, probe.Stop())
	}
	return errors.Join(errs...)
}

// AwaitEqual waits until both sides of all jobs hold the same rows.
func (p *ProbeJobs) AwaitEqual(ctx context.Context) error {
	return Await(ctx, patience, func(ctx context.Context) error {
		for _, name := range p.Names {
			if err := CompareDatabases(ctx, p.src, name, p.dst, name); err != nil {
				return err
			}
		}
		return nil
	})
}
