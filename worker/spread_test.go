package worker

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

func TestTooManyShifts(t *testing.T) {
	loads := func(slots int, shifts ...int) (loads []job.Load) {
		for _, n := range shifts {
			loads = append(loads, job.Load{Shifts: n, Slots: slots})
		}
		return loads
	}
	for name, c := range map[string]struct {
		own    int
		others []job.Load
		giving bool
		want   int
	}{
		"alone":                       {300, nil, false, 0},
		"one has joined":              {300, loads(2000, 0), false, 150},
		"nearly equal":                {180, loads(2000, 120), false, 0},
		"it goes on until it is near": {180, loads(2000, 120), true, 30},
		"near enough":                 {158, loads(2000, 142), true, 0},
		"a few jobs stay":             {5, loads(2000, 0), false, 0},
		"a third worker":              {150, loads(2000, 150, 0), false, 50},
		"others are full":             {300, loads(100, 100), false, 0},
		"others have a little room":   {300, loads(100, 90), false, 10},
		"fewer than others":           {10, loads(2000, 300), false, 0},
	} {
		require.Equal(t, c.want, tooMany(job.Load{Shifts: c.own, Slots: 2000}, c.others, c.giving), name)
	}
}

// What is given away ends one by one, and stops where nothing may be given.
func TestSpreadGivesAway(t *testing.T) {
	given := 0
	s := &spread{log: slog.New(slog.DiscardHandler), yield: func() bool { given++; return given <= 3 }}
	s.giveAway(t.Context(), 2)
	require.Equal(t, 2, given)
	s.giveAway(t.Context(), 5)
	require.Equal(t, 4, given, "the fourth was refused")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	given = 0
	began := time.Now()
	s.giveAway(ctx, 1000)
	require.Equal(t, 1, given)
	require.Less(t, time.Since(began), time.Minute)
}
