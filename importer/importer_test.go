package importer

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSyncerThatRuns(t *testing.T) {
	seen := func(age time.Duration) StoreConfig {
		return sqliteStore(t, fmt.Sprintf("INSERT INTO syncers VALUES ('h1:9190', %d), ('old:9190', 5)", importedAt.Add(-age).UnixNano()))
	}
	now := func() time.Time { return importedAt }
	_, err := Run(t.Context(), Options{Store: seen(14 * time.Second), Now: now})
	require.ErrorIs(t, err, ErrSyncerRuns)
	require.ErrorContains(t, err, "h1:9190 was seen 14s ago")
	_, err = Run(t.Context(), Options{Store: seen(-time.Hour), Now: now}) // its clock is ahead
	require.ErrorIs(t, err, ErrSyncerRuns)
	for _, o := range []Options{{Store: seen(16 * time.Second)}, {Store: seen(0), Force: true}, {Store: seen(0), DryRun: true}} {
		o.Now = now
		results, err := Run(t.Context(), o)
		require.NoError(t, err)
		require.Empty(t, results)
	}
	_, err = Run(t.Context(), Options{Store: seen(time.Hour), Now: now, Jobs: []string{"nobody"}})
	require.ErrorContains(t, err, `has no job "nobody"`)
}

// A stamp that moves between the first look and the start of a job is a syncer
// whose clock is behind.
func TestSyncerThatWakes(t *testing.T) {
	c := sqliteStore(t, "INSERT INTO syncers VALUES ('h1:9190', 5)")
	s, err := openStore(t.Context(), c)
	require.NoError(t, err)
	defer s.close()
	im := &importing{Options: Options{Now: time.Now}, store: s}
	require.NoError(t, im.syncerStopped(t.Context()))
	require.NoError(t, im.noneWoke(t.Context()))
	im.stamps[0].at = im.stamps[0].at.Add(-time.Nanosecond)
	require.ErrorIs(t, im.noneWoke(t.Context()), ErrSyncerRuns)
}
