package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// plainLimit is the size, in bytes, up to which answers are sent as readable
// JSON. Beyond it they would come near the server's limit of 2 MiB.
const plainLimit = 1 << 20

// readable encodes an answer as plain JSON: the temporal command, tctl and the Web UI
// do not have our data converter, which compresses large payloads. An answer above
// plainLimit is compressed all the same. One that Temporal would not take is an error
// with a remedy, because some servers would let its reader wait in vain.
func (w Workflow) readable(answer any) (converter.RawValue, error) {
	payload, err := converter.GetDefaultDataConverter().ToPayload(answer)
	if err != nil {
		return converter.RawValue{}, fmt.Errorf("encode the answer: %w", err)
	}
	if len(payload.GetData()) <= plainLimit {
		payload.Metadata[job.PayloadPlain] = []byte("1")
	}
	raw := converter.NewRawValue(payload)
	if payload.Size() > w.payloadLimit() { // else it is not when it is compressed
		if m := w.measure(raw); m.Size > m.Limit {
			return converter.RawValue{}, fmt.Errorf("the answer has %d bytes, more than the %d that Temporal takes; %s", m.Size, m.Limit, remedyTooLarge)
		}
	}
	return raw, nil
}

// answerQueries registers the queries. None of them does anything but read the
// state, so they can be answered at any moment, before the first step too.
func (r *run) answerQueries() error {
	queries := []struct {
		name, description string
		answer            func() any
	}{
		{job.QueryStatus, "What the job is doing and whether it is well.", func() any { s := r.status(); return job.StatusAnswer{Status: s, Words: s.Words()} }},
		{job.QueryDetail, "What the job was asked to do; passwords are masked.", func() any { return r.detail() }},
		{job.QueryOrders, "What an operator has ordered and is not done yet.", func() any { return r.orders() }},
		{job.QueryProgress, "The whole state of the job.", func() any { return r.p }},
		{job.QueryState, "The same, packed if there are many tables: for ccr itself.", func() any { return job.Pack(r.p) }},
		{job.QueryLag, "How far the job was behind its source when that was last observed.", func() any { return r.p.Lag }},
		{job.QueryChangeInput, "What checking a change of the job needs (passwords sealed).", func() any { return r.changeInput() }},
		{job.QueryLagInput, "What a worker needs to observe the lag: source (password sealed) and position.", func() any { return r.lagInput() }},
		{job.QueryEvents, "The last noteworthy things, oldest first.", func() any { return slices.Clone(r.p.Events) }},
	}
	for _, q := range queries {
		o := workflow.QueryHandlerOptions{Description: q.description}
		if err := workflow.SetQueryHandlerWithOptions(r.ctx, q.name, func() (converter.RawValue, error) { return r.settings.readable(q.answer()) }, o); err != nil {
			return fmt.Errorf("register query %s: %w", q.name, err)
		}
	}
	if err := r.answerTables(); err != nil {
		return err
	}
	o := workflow.QueryHandlerOptions{Description: "What a verification needs: spec (passwords sealed), position, tables."}
	answer := func(wanted job.VerifyWanted) (converter.RawValue, error) {
		return r.settings.readable(r.verifyInput(wanted))
	}
	if err := workflow.SetQueryHandlerWithOptions(r.ctx, job.QueryVerifyInput, answer, o); err != nil {
		return fmt.Errorf("register query %s: %w", job.QueryVerifyInput, err)
	}
	return nil
}

func (r *run) orders() job.Orders {
	return job.Orders{Paused: r.p.Paused, Skip: r.p.Skip, Position: r.p.Position}
}

func (r *run) status() job.Status {
	s := job.Status{
		Name:          r.spec.Name,
		Running:       !r.p.Paused,
		ProgressState: r.p.State,
		Phase:         r.p.Phase,
		Position:      r.p.Position,
		Stalled:       r.p.Problem != nil && !r.p.Paused && r.p.Phase != job.PhaseDeleting,
		Problem:       r.p.Problem,
		Lag:           r.p.Lag,
		Doing:         r.doing(),
		FullSyncs:     r.p.FullSyncs,
		PartialSyncs:  r.p.PartialSyncs,
		Outcomes:      r.p.Outcomes,
		Checked:       r.checked(),
		FullSyncAt:    r.p.FullSyncStartedAt,

		FullSyncReason: r.p.FullSyncInfo.Info,
		Differences:    r.p.Differences,
		Comparing:      r.p.Comparing,
		Verified:       r.verified(),
	}
	if n := len(r.p.Events); n > 0 {
		last := r.p.Events[n-1]
		s.LastEvent = &last
	}
	s.NextStep = s.Advice()
	return s
}

// doing is currentStep, and the command that waits until that step has ended.
func (r *run) doing() string {
	text := r.currentStep()
	if r.p.Phase == job.PhaseStream && !r.p.Paused && r.selecting() == "" {
		// The position moves on while the shift lasts, and the answer says it beside this.
		text = streamBinlogs
	}
	if len(r.inbox.queue) > 0 {
		return fmt.Sprintf("%s; then %s, as ordered", text, r.inbox.queue[0].name)
	}
	if r.p.Paused && r.p.Phase != job.PhaseDeleting {
		return "paused; after resume: " + text
	}
	return text
}

// detail returns the spec as people may see it.
func (r *run) detail() job.Spec {
	spec := r.spec
	for _, c := range []*job.Cluster{&spec.Source, &spec.Destination} {
		if c.Password != "" {
			c.PasswordKey, c.Password = c.Password.KeyID(), job.Mask
		}
	}
	return spec
}

const streamBinlogs = "stream binlogs"

// currentStep says in words what the job does or would do next.
func (r *run) currentStep() string {
	switch r.p.Phase {
	case job.PhaseCheck:
		return "check both clusters"
	case job.PhaseTakeSnapshot:
		return "take a " + r.snapshotKind() + " snapshot"
	case job.PhaseRestore:
		return "restore snapshot " + r.p.Snapshot.Name
	case job.PhaseFinishSnapshot:
		return "finish snapshot " + r.p.Snapshot.Name
	case job.PhaseStream:
		if text := r.selecting(); text != "" {
			return text
		}
		return fmt.Sprintf("%s after commit seq %d", streamBinlogs, r.p.Position.CommitSeq)
	case job.PhaseApply:
		if n := len(r.following); n > 0 {
			return fmt.Sprintf("apply %s, commit seq %d, and %d more up to %d", describe(r.p.Pending), r.p.Pending.CommitSeq, n, r.following[n-1].CommitSeq)
		}
		return fmt.Sprintf("apply %s, commit seq %d", describe(r.p.Pending), r.p.Pending.CommitSeq)
	case job.PhaseDeleting:
		return "clean up and end"
	}
	return string(r.p.Phase)
}

// selecting is what is to be done before binlogs can be streamed, or empty.
func (r *run) selecting() string {
	switch {
	case r.p.Reselect:
		return "look which tables are selected now"
	case len(r.p.Awaited) > 0:
		return fmt.Sprintf("take a snapshot of %s, which is included now (%d tables to go)", r.p.Awaited[0].Table, len(r.p.Awaited))
	}
	return ""
}

func (r *run) snapshotKind() string {
	if r.p.Snapshot != nil && r.p.Snapshot.Partial != nil {
		return "partial"
	}
	return "full"
}

// describe names a binlog for people.
func describe(b *job.Binlog) string {
	if b == nil {
		return "binlog"
	}
	if b.Summary != "" {
		return oneLine(b.Summary, summaryLimit)
	}
	return b.Type.String()
}
