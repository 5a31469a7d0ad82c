package ddl

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
)

// An attempt that is no longer the current one changes nothing any more.
func TestGuard(t *testing.T) {
	a := applying(binlog.TypeTruncateTable, binlog.Truncate{TableID: 10, EntireTable: true}, 10)
	j := a.job()
	stale := errors.New("stale")
	j.Guard(func(context.Context) error { return stale })
	_, err := j.Apply(t.Context(), a.in)
	require.ErrorIs(t, err, stale)
	require.Empty(t, a.dst.Executed)

	for name, change := range map[string]func() error{
		"create":  func() error { return j.Destination.SQL.CreateDatabase(t.Context(), "d") },
		"with":    func() error { return j.Destination.SQL.ExecWith(t.Context(), nil, "CREATE TABLE t") },
		"drop":    func() error { return j.Destination.SQL.DropTable(t.Context(), "d", "t") },
		"view":    func() error { return j.Destination.SQL.DropView(t.Context(), "d", "v") },
		"backup":  func() error { return j.Source.SQL.CancelBackup(t.Context(), "d") },
		"cancel":  func() error { return j.Destination.SQL.CancelRestore(t.Context(), "d") },
		"restore": func() error { return j.Destination.FE.RestoreSnapshot(t.Context(), fe.RestoreRequest{}) },
	} {
		require.ErrorIs(t, change(), stale, name) // the fakes would panic
	}

	a.in.OutcomeUnknown = true
	j = a.job()
	j.Guard(func(context.Context) error { return nil })
	_, err = j.Apply(t.Context(), a.in)
	require.NoError(t, err)
	require.Len(t, a.dst.Executed, 1)
}
