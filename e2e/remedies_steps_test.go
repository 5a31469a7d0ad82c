package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// Snapshots that come to nothing, or hang.
func stepRemedies() []remedyRow {
	const (
		fails   = "### `fails again and again`"
		unseen  = "### `was ordered 3 times and never seen`"
		forever = "## A snapshot takes for ever"
	)
	return []remedyRow{
		{name: "a snapshot is taken again by itself", helps: []string{"look at SHOW BACKUP on the source, SHOW RESTORE on the destination"}, pages: []string{fails},
			play: func(t *trouble) {
				t.tables("t")
				mend := t.answering(t.pair.Destination, "restore.PENDING", "something new")
				t.job = t.createJob("d", "", "d", "")
				t.stands("fails again and again", t.row.helps[0])
				told, err := column(t.ctx, t.dst, t.said("SHOW RESTORE")+" FROM d", "Status")
				require.NoError(t, err)
				require.Contains(t, strings.Join(told, " "), "something new")
				mend()
				t.goesOn()
			}},
		{name: "restores that get lost are ordered again", helps: []string{"look at the log of the master frontend for what became of it"}, pages: []string{unseen},
			play: func(t *trouble) {
				t.tables("t")
				lost := t.fault(t.pair.Destination, faults.Rule{Point: "fe.restoreSnapshot", Action: faults.DropBefore})
				t.job = t.createJob("d", "", "d", "")
				t.stands("was ordered 3 times and never seen", "raise thrift_max_message_size in fe.conf of the destination")
				lost.end() // a larger message is accepted now
				t.goesOn()
			}},
		{name: "a backup that hangs is cancelled", helps: []string{"CANCEL BACKUP ends one that hangs, and the job makes another"}, pages: []string{forever},
			play: func(t *trouble) {
				t.tables("t")
				t.remedy = t.inCode()
				held := t.fault(t.pair.Source, faults.Rule{Point: "backup.SNAPSHOTING", Action: faults.Hold})
				t.job = t.createJob("d", "", "d", "")
				t.awaitColumn(func(ctx context.Context) ([]string, error) { return column(ctx, t.src, "SHOW BACKUP FROM d", "State") }, "SNAPSHOTING")
				held.struck()
				t.exec(t.said("CANCEL BACKUP") + " FROM d")
				held.end()
				t.goesOn()
			}},
		{name: "a restore that hangs is cancelled", helps: []string{"CANCEL RESTORE ends one that hangs, and the job makes another"}, pages: []string{forever},
			play: func(t *trouble) {
				t.tables("t")
				t.remedy = t.inCode()
				held := t.fault(t.pair.Destination, faults.Rule{Point: "restore.DOWNLOADING", Action: faults.Hold})
				t.job = t.createJob("d", "", "d", "")
				t.awaitColumn(func(ctx context.Context) ([]string, error) { return column(ctx, t.dst, "SHOW RESTORE FROM d", "State") }, "DOWNLOADING")
				held.struck()
				t.execDestination(t.said("CANCEL RESTORE") + " FROM d")
				held.end()
				t.goesOn()
			}},
	}
}

// inCode is the row's remedy where the job says it only after ten minutes.
func (t *trouble) inCode() string {
	t.Helper()
	all := remediesInCode(t.T).remedies
	at := slices.IndexFunc(all, func(r writtenRemedy) bool { return strings.Contains(r.text, t.row.helps[0]) })
	require.GreaterOrEqual(t, at, 0, t.row.helps[0])
	return all[at].text
}

// awaitColumn waits until a listing has a value.
func (t *trouble) awaitColumn(list func(context.Context) ([]string, error), want string) {
	t.Helper()
	require.NoError(t, harness.Await(t.ctx, catchUp, func(ctx context.Context) error {
		values, err := list(ctx)
		if err == nil && !slices.Contains(values, want) {
			err = fmt.Errorf("%v, not %s", values, want)
		}
		return err
	}))
}
