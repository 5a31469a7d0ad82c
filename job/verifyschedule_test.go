package job

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWindow(t *testing.T) {
	at := func(day int, clock string) time.Time {
		c, err := time.Parse("15:04:05", clock)
		require.NoError(t, err)
		return time.Date(2026, 11, day, c.Hour(), c.Minute(), c.Second(), 0, time.UTC)
	}
	day, night := VerifySchedule{Every: 24 * time.Hour, Window: "01:00-05:00"}, VerifySchedule{Every: 24 * time.Hour, Window: "22:00-02:30"}
	for _, c := range []struct {
		s      VerifySchedule
		at     time.Time
		open   bool
		change time.Time
	}{
		{day, at(7, "00:59:59"), false, at(7, "01:00:00")},
		{day, at(7, "01:00:00"), true, at(7, "05:00:00")},
		{day, at(7, "04:59:59"), true, at(7, "05:00:00")},
		{day, at(7, "05:00:00"), false, at(8, "01:00:00")},
		{night, at(7, "23:00:00"), true, at(8, "02:30:00")},
		{night, at(8, "02:29:00"), true, at(8, "02:30:00")},
		{night, at(8, "02:30:00"), false, at(8, "22:00:00")},
		{night, at(7, "12:00:00").In(time.FixedZone("far", 8*3600)), false, at(7, "22:00:00")},
		{VerifySchedule{Every: time.Hour}, at(7, "12:00:00"), true, time.Time{}},
	} {
		open, change := c.s.Open(c.at, 0)
		require.Equal(t, c.open, open, "%s at %s", c.s.Window, c.at)
		require.True(t, c.change.Equal(change), "%s at %s: %s", c.s.Window, c.at, change)
	}
	_, opens := day.Open(at(7, "06:00:00"), 20*time.Minute)
	require.Equal(t, at(8, "01:20:00"), opens)
	_, opens = day.Open(at(7, "06:00:00"), 4*time.Hour)
	require.Equal(t, at(8, "03:00:00"), opens, "something has to be left of it")

	day.Jitter = 30 * time.Minute
	require.Equal(t, 20*time.Minute, day.Late(at(7, "01:20:00")))
	require.Zero(t, day.Late(at(7, "09:00:00")), "somebody has started it by hand")
	day.Every = time.Hour
	require.Equal(t, 20*time.Minute, day.Late(at(7, "03:20:00")))
}
