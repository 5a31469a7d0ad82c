package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// severalAt is the input of a step with n binlogs, 500, 510 and so on.
func severalAt(t *testing.T, b *bench, n int) job.ApplySeveralInput {
	in := job.ApplySeveralInput{ApplyInput: job.ApplyInput{StepInput: input(t, b)}}
	for i := range n {
		next := job.Binlog{CommitSeq: int64(500 + 10*i), Type: binlog.TypeAddPartition, Summary: fmt.Sprintf("ADD_PARTITION p%d of orders", i)}
		if i == 0 {
			in.Progress.Pending = &next
		} else {
			in.Following = append(in.Following, next)
		}
	}
	return in
}

func outcomeOf(number int) job.ApplyResult {
	return job.ApplyResult{Done: true, Summary: fmt.Sprintf("done %d", number)}
}

func (s *server) outcomes() (list []int, notes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.got {
		list, notes = append(list, len(b.Outcomes)), append(notes, b.Note)
	}
	return list, notes
}

func TestEachOutcomeIsRecordedBeforeTheNextBinlog(t *testing.T) {
	b, s := streamBench(t)
	b.fake.several = func(_ context.Context, number int, unsure bool) (job.ApplyResult, error) {
		told, _ := s.outcomes()
		require.Equal(t, number, told[len(told)-1], "the server knows all outcomes so far")
		require.NotNil(t, b.fake.may, "each statement asks whether it may be sent")
		out := outcomeOf(number)
		out.Refused = strings.Repeat("é", 1<<10)
		return out, nil
	}
	out, err := call[job.ApplySeveralResult](b, job.ActivityApplySeveral, severalAt(t, b, 3))
	require.NoError(t, err)
	require.Len(t, out.Outcomes, 3)
	require.Nil(t, out.Failed)
	require.LessOrEqual(t, len(out.Outcomes[0].Refused), outcomeText+len("…"))
	require.Equal(t, int64(510), s.got[1].Tried)
	_, notes := s.outcomes()
	require.Contains(t, notes, "apply ADD_PARTITION p1 of orders, commit seq 510 (2 of 3)")
}

// Another attempt goes on behind what was recorded. Nobody knows of the rest.
func TestAnAttemptAfterADeathGoesOn(t *testing.T) {
	b, s := streamBench(t)
	b.SetHeartbeatDetails(job.Heartbeat{Outcomes: []job.ApplyResult{outcomeOf(0)}})
	var applied []int
	b.fake.several = func(_ context.Context, number int, unsure bool) (job.ApplyResult, error) {
		require.True(t, unsure)
		applied = append(applied, number)
		return outcomeOf(number), nil
	}
	out, err := call[job.ApplySeveralResult](b, job.ActivityApplySeveral, severalAt(t, b, 3))
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, applied)
	require.Equal(t, []job.ApplyResult{outcomeOf(0), outcomeOf(1), outcomeOf(2)}, out.Outcomes)
	told, _ := s.outcomes()
	require.Equal(t, 1, told[0], "the first heartbeat must not set the step back")
}

func TestAStepWithSeveralBinlogsAsksBeforeItsFirstSideEffect(t *testing.T) {
	for name, answer := range map[string]error{
		"cancelled": temporal.NewCanceledError(),
		"stale":     serviceerror.NewNotFound("workflow execution already completed"),
	} {
		t.Run(name, func(t *testing.T) {
			b, s := streamBench(t)
			s.set(answer)
			b.SetHeartbeatDetails(job.Heartbeat{Outcomes: []job.ApplyResult{outcomeOf(0)}})
			b.fake.several = func(context.Context, int, bool) (job.ApplyResult, error) { panic("a binlog was begun") }
			out, err := call[job.ApplySeveralResult](b, job.ActivityApplySeveral, severalAt(t, b, 3))
			if name == "cancelled" {
				require.NoError(t, err)
				require.Equal(t, job.ApplySeveralResult{Outcomes: []job.ApplyResult{outcomeOf(0)}, Unknown: true}, out, "what was applied before is told")
			} else {
				require.ErrorContains(t, err, errLost.Error())
			}
		})
	}
}

// A step that is told to stop finishes the binlog under way, and begins no other.
func TestAStepWithSeveralBinlogsStopsBetweenTwo(t *testing.T) {
	for name, stop := range map[string]func(*bench, *server){
		"asked by the workflow":  func(_ *bench, s *server) { s.set(temporal.NewCanceledError()) },
		"the worker stops":       func(b *bench, _ *server) { close(b.stop) },
		"another attempt has it": func(_ *bench, s *server) { s.set(serviceerror.NewNotFound("activity not found")) },
	} {
		t.Run(name, func(t *testing.T) {
			b, s := streamBench(t)
			begun := 0
			b.fake.several = func(ctx context.Context, number int, _ bool) (job.ApplyResult, error) {
				begun++
				if number == 1 {
					stop(b, s)
				}
				require.NoError(t, ctx.Err())
				return outcomeOf(number), nil
			}
			out, err := call[job.ApplySeveralResult](b, job.ActivityApplySeveral, severalAt(t, b, 4))
			require.Equal(t, 2, begun)
			if name == "another attempt has it" {
				require.ErrorContains(t, err, errLost.Error())
				return
			}
			require.NoError(t, err)
			require.Equal(t, []job.ApplyResult{outcomeOf(0), outcomeOf(1)}, out.Outcomes)
			require.Nil(t, out.Failed)
			require.False(t, out.Unknown, "the next one was not begun")
		})
	}
}

// An error is that of the binlog that failed, and what was applied before it is kept.
func TestAFailureInTheMiddleNamesItsBinlog(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("no route") },
		"panic": func() error { panic("a bug") },
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := streamBench(t)
			b.fake.several = func(_ context.Context, number int, _ bool) (job.ApplyResult, error) {
				if number == 2 {
					return job.ApplyResult{}, fail()
				}
				return outcomeOf(number), nil
			}
			out, err := call[job.ApplySeveralResult](b, job.ActivityApplySeveral, severalAt(t, b, 4))
			require.NoError(t, err)
			require.Equal(t, []job.ApplyResult{outcomeOf(0), outcomeOf(1)}, out.Outcomes)
			require.NotNil(t, out.Failed)
			require.Equal(t, int64(520), out.Failed.CommitSeq)
			require.Equal(t, binlog.TypeAddPartition, out.Failed.BinlogType)
			require.True(t, out.Unknown)
		})
	}
}

// The next step of a job with many tables finds here what all binlogs have made of them.
func TestSeveralDDLsCostNoQuestion(t *testing.T) {
	b, _ := streamBench(t)
	w := &workflowTables{mapping: job.Mapping{Tables: manyTables(600)}}
	b.acts.Tables = w
	changes := []job.TableChanges{
		{Set: map[int64]job.Table{4711: {DestID: 5, Name: "new"}, 4712: {DestID: 6, Name: "new, too"}}},
		{Drop: []int64{4711, 9}},
		{Set: map[int64]job.Table{9: {DestID: 7, Name: "there again"}}},
	}
	b.fake.several = func(_ context.Context, number int, _ bool) (job.ApplyResult, error) {
		return job.ApplyResult{Done: true, Tables: changes[number]}, nil
	}
	in := severalAt(t, b, 3)
	in.Spec.UID, in.Progress.Tables = "u", w.mapping.Tables
	out, err := call[job.ApplySeveralResult](b, job.LeanName(job.ActivityApplySeveral), job.MakeLean(in))
	require.NoError(t, err)
	require.Len(t, out.Outcomes, 3)
	require.Equal(t, 1, w.asked)
	p := job.Progress{Tables: manyTables(600)}
	for _, c := range changes {
		p.Apply(c)
	}
	_, known := b.acts.known.get("u", job.DigestOf(job.Mapping{Tables: p.Tables}))
	require.True(t, known)
}
