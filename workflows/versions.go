package workflows

import "go.temporal.io/sdk/workflow"

// change is the id of a change of the sequence of steps (docs/upgrade.md, "What
// keeps jobs alive over versions"). Histories have these ids, so none is ever
// renamed or used for something else.
type change string

// All changes, by the release that brought them. A run that began with an earlier
// release goes the old way until it continues as new.
const (
	// 0.2: update_tables changes the table filter. Workers of before did not know
	// the command and refused it.
	changeUpdateTables change = "update-tables"
	// 0.2: an order of a snapshot that is under way already changes nothing. It used
	// to start the snapshot again.
	changeRepeatedOrders change = "repeated-orders"
	// 0.2: an activity asks the source for the lag of a streaming job if the caller
	// knows of a newer position. The reports of the shift used to be all there was.
	changeObserveShift change = "observe-shift"
	// 0.2: a command with arguments that are not understood to the last field is
	// refused. It used to be carried out by what was understood.
	changeStrictPayloads change = "strict-payloads"
	// 0.2: an activity tells a webhook of changes of state. Nobody was told before.
	changeWebhook change = "webhook"

	// 0.3: snapshots that fail again and again are a problem of the job. They used to
	// be events only.
	changeSnapshotTrouble change = "snapshot-trouble"
	// 0.3: a partial sync that is ordered while the job stands at the table's own DROP
	// does not count the DROP as done, since there is nothing to bring.
	changeSkipDrop change = "skip-drop"
	// 0.3: a partial sync with a table id that is not the table's is refused. It used
	// to begin, and to find no such table.
	changeSkipTableID change = "skip-table-id"
	// 0.3: the server makes the tries of a stalled job (serverretries.go). The workflow
	// used to make them all. The id has the word that was used then.
	changePatience change = "patience"

	// 0.4: update_tables leaves the tables that have still to come after a gap awaited.
	// It used to forget them.
	changeAwaitedStays change = "awaited-stays"
	// 0.4: the webhook is told of new differences of source and destination.
	changeDifferences change = "differences-webhook"
	// 0.4: a large state is measured before it is handed on, which is an event, and
	// one that is too large stops the job. Temporal used to end its workflow.
	changePayloadSize change = "payload-size"
	// 0.4: verifications order partial syncs, and tell how they have ended. Workers of
	// before did not know the commands and refused them.
	changeVerify change = "verify"
	// 0.4: a schedule ends when its job does not exist any more, and what it starts pauses
	// when its window ends. Only the beginning used to be bounded.
	changeVerifySchedule change = "verify-schedule"
	// 0.4: steps of jobs with many tables get the digest of the tables instead of the
	// tables, by activities of their own (lean.go). The tables used to be in each input.
	changeLeanInputs change = "lean-inputs"
	// 0.4: how a job logs in, where its clusters are, and two of its options can be changed.
	// Workers of before did not know the commands and refused them.
	changeRunningJob change = "running-job"
	// 0.4: a job that the first checks refuse says so in its search attribute. It used to
	// stay "running".
	changeRefusedState change = "refused-state"
	// 0.4: binlogs that follow each other and are no UPSERTs share a step (several.go).
	// Each used to have one, with a shift in between.
	changeSeveral change = "several-binlogs"
	// 0.4: update_hosts changes tls and tls_ca of a side. Workers of before did not know
	// them and refused the command.
	changeSideTLS change = "side-tls"
)

// version tells whether the run may take the way that the change introduced.
func (r *run) version(c change) bool { return reached(r.ctx, c) }

// reached is version for code without a run.
func reached(ctx workflow.Context, c change) bool {
	return workflow.GetVersion(ctx, string(c), workflow.DefaultVersion, 1) != workflow.DefaultVersion
}
