package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
)

func TestSeedIsGivenBack(t *testing.T) {
	n, err := seedOf("7")
	require.NoError(t, err)
	require.EqualValues(t, 7, n)
	for _, text := range []string{"0", "-1", "x"} {
		_, err := seedOf(text)
		require.ErrorContains(t, err, SeedVariable)
	}
	drawn, err := seedOf("")
	require.NoError(t, err)
	require.Positive(t, drawn)

	draw := func(name string) (all [4]uint64) {
		r, err := Random(name)
		require.NoError(t, err)
		for i := range all {
			all[i] = r.Uint64()
		}
		return all
	}
	require.Equal(t, draw("one"), draw("one"))
	require.NotEqual(t, draw("one"), draw("another"))
}

// The clusters of a run file their binlogs late by its seed, unless they have one of
// their own.
func TestLateBinlogsHaveTheSeed(t *testing.T) {
	t.Setenv(LateBinlogs, "")
	n, err := Seed()
	require.NoError(t, err)
	for _, c := range []struct{ own, want uint64 }{{0, n}, {5, 5}} {
		late, err := PairOptions{Seed: c.own}.lateFiling()
		require.NoError(t, err)
		require.Equal(t, c.want, late.Seed)
		require.Equal(t, 30, late.Percent)
		late, err = PairOptions{Seed: c.own, LateFiling: &core.LateFiling{Percent: 10}}.lateFiling()
		require.NoError(t, err)
		require.Equal(t, core.LateFiling{Percent: 10, Seed: c.want}, late)
	}
}
