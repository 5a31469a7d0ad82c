package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// verification is what came of one in the middle of a round.
type verification struct {
	of     *scene
	report job.VerifyReport
	err    error
}

// chaosVerifies tells whether programs verify their jobs.
func chaosVerifies() bool { return os.Getenv("CCR_CHAOS_VERIFY") == "1" }

// verifyAt draws the statement of a round beside which the jobs are verified, -1
// for none. Statements do not depend on it.
func (p *program) verifyAt() int {
	if !chaosVerifies() {
		return -1
	}
	return rand.New(rand.NewPCG(p.seed, 8+uint64(p.played))).IntN(chaosRound / 2)
}

// verifyMeanwhile verifies the jobs while the program goes on, which waits for it
// before the next quiet point.
func (p *program) verifyMeanwhile(ctx context.Context) {
	for _, s := range p.jobs() {
		p.ordering.Go(func() {
			v := verification{of: s}
			v.report, v.err = p.verifyJob(ctx, s)
			p.noting.Lock()
			defer p.noting.Unlock()
			p.verifications = append(p.verifications, v)
		})
	}
}

// alarms is an error if a verification in the middle of the round has told of
// differences, unless the round has made some.
func (p *program) alarms() error {
	done := p.verifications
	p.verifications = nil
	for _, v := range done {
		if v.err != nil {
			return fmt.Errorf("job %s: verified in the middle: %w", v.of.job, v.err)
		}
		if e := p.excuse(v.of); e.differences || len(e.damages) > 0 {
			continue
		}
		if err := p.falseAlarm(v.report); err != nil {
			return fmt.Errorf("job %s: verified in the middle: %w", v.of.job, err)
		}
	}
	return nil
}

// verifyQuiet verifies a job whose sides are equal.
func (p *program) verifyQuiet(ctx context.Context, s *scene) error {
	if !chaosVerifies() {
		return nil
	}
	report, err := p.verifyJob(ctx, s)
	if err != nil {
		return fmt.Errorf("verified at a quiet point: %w", err)
	}
	if err := p.falseAlarm(report); err != nil {
		return fmt.Errorf("verified at a quiet point: %w", err)
	}
	return nil
}

// falseAlarm is an error if the report tells of a difference. What was dropped
// while binlogs were off is none: the destination may keep it.
func (p *program) falseAlarm(report job.VerifyReport) error {
	for _, t := range report.Tables {
		if t.Outcome == job.VerifyDifferent && !p.left[t.Table] {
			return fmt.Errorf("a false alarm, or a fault: %s", inText(report))
		}
	}
	return nil
}

// verifyJob verifies a job, whose process may be killed meanwhile.
func (p *program) verifyJob(ctx context.Context, s *scene) (job.VerifyReport, error) {
	var id string
	err := harness.AwaitEvery(ctx, chaosLook, s.patience, func(ctx context.Context) error {
		return p.process.running(func() error {
			var err error
			id, err = p.ccr.Verify(ctx, s.job, job.VerifyRequest{Method: job.VerifyRows})
			return err
		})
	})
	if err != nil {
		return job.VerifyReport{}, err
	}
	p.note(fmt.Sprintf("-- %s: verification %s", s.job, id))
	report, err := p.awaitVerified(ctx, s, id)
	if err != nil {
		return report, err
	}
	for _, t := range report.Tables {
		p.process.tally.count("tables " + string(t.Outcome))
	}
	p.note(fmt.Sprintf("-- %s: verification %s is %s: %s %s\n%s", s.job, id, report.State, report.Result(), report.Error, inText(report)))
	return report, nil
}

// awaitVerified waits for the end of a verification. Its patience begins again when
// the process was killed.
func (p *program) awaitVerified(ctx context.Context, s *scene, id string) (report job.VerifyReport, err error) {
	for {
		kills := p.process.kills.Load()
		report, err = p.ccr.AwaitVerified(ctx, s.job, id, s.patience)
		if err == nil || ctx.Err() != nil || kills == p.process.kills.Load() {
			return report, err
		}
	}
}
