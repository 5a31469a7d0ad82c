package job

import (
	"fmt"
	"strings"
	"time"
)

const (
	minVerifyEvery = time.Minute
	day            = 24 * time.Hour
)

// Span is the window in minutes of the day, from and to; to may be less than from, if
// the window goes over midnight. Without a window both are 0.
func (s *VerifySchedule) Span() (from, to int, err error) {
	if s.Window == "" {
		return 0, 0, nil
	}
	text := strings.Split(s.Window, "-")
	if len(text) == 2 {
		begin, err1 := time.Parse("15:04", strings.TrimSpace(text[0]))
		end, err2 := time.Parse("15:04", strings.TrimSpace(text[1]))
		if err1 == nil && err2 == nil && !begin.Equal(end) {
			return begin.Hour()*60 + begin.Minute(), end.Hour()*60 + end.Minute(), nil
		}
	}
	return 0, 0, fmt.Errorf(`[normal] window is %q: it has to be a part of the day in UTC, like "01:00-05:00"`, s.Window)
}

// Validate refuses what is no schedule.
func (s *VerifySchedule) Validate() error {
	from, to, err := s.Span()
	length := time.Duration((to-from+24*60)%(24*60)) * time.Minute
	switch {
	case err != nil:
		return err
	case s.Every < minVerifyEvery:
		return fmt.Errorf("[normal] every is %s: it has to be %s at least", s.Every, minVerifyEvery)
	case s.Jitter < 0 || s.Jitter >= s.Every:
		return fmt.Errorf("[normal] jitter is %s: it has to be less than every", s.Jitter)
	case s.Window != "" && s.Jitter > length:
		return fmt.Errorf("[normal] jitter is %s: the window has only %s", s.Jitter, length)
	case s.Window != "" && (24*time.Hour)%s.Every != 0 && s.Every%(24*time.Hour) != 0:
		return fmt.Errorf("[normal] every is %s: with a window it has to be a part of a day, or whole days, or it would begin at another time each day", s.Every)
	}
	return nil
}

// Open tells whether the window is open at a time, and when that changes. A window
// that was closed opens late after its beginning. Without a window it is always open.
func (s *VerifySchedule) Open(at time.Time, late time.Duration) (open bool, change time.Time) {
	from, to, err := s.Span()
	if err != nil || from == to {
		return true, time.Time{}
	}
	begin, end := s.last(at, from), time.Duration((to-from+24*60)%(24*60))*time.Minute
	if at.Before(begin.Add(end)) {
		return true, begin.Add(end)
	}
	return false, begin.Add(day + min(late, end/2))
}

// Late is how much after the beginning of its window something began by the schedule's
// jitter.
func (s *VerifySchedule) Late(began time.Time) time.Duration {
	from, to, err := s.Span()
	if err != nil || from == to || s.Every <= 0 {
		return 0
	}
	if late := began.Sub(s.last(began, from)) % s.Every; late <= s.Jitter {
		return late
	}
	return 0
}

// last is when a minute of the day was last before a time, or at it.
func (s *VerifySchedule) last(at time.Time, minute int) time.Time {
	begin := at.UTC().Truncate(day).Add(time.Duration(minute) * time.Minute)
	if begin.After(at) {
		begin = begin.Add(-day)
	}
	return begin
}
