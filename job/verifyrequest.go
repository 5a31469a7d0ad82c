package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The bounds of a request.
const (
	defaultVerifyRows = 100
	maxVerifyRows     = 10_000
	minVerifyEvery    = time.Minute
)

// Normalize fills in what is left out, and refuses what no job can carry out.
func (r *VerifyRequest) Normalize() error {
	if r.Method == "" {
		r.Method = VerifyChecksum
	}
	r.Method = VerifyMethod(strings.ToLower(string(r.Method)))
	if !slices.Contains(VerifyMethods, r.Method) {
		var names []string
		for _, m := range VerifyMethods {
			names = append(names, string(m))
		}
		return fmt.Errorf("[normal] there is no method %q: it is one of %s", r.Method, strings.Join(names, ", "))
	}
	if r.MaxRows == 0 {
		r.MaxRows = defaultVerifyRows
	}
	switch {
	case r.MaxRows < 0 || r.MaxRows > maxVerifyRows:
		return fmt.Errorf("[normal] max_rows is %d: it has to be from 1 to %d", r.MaxRows, maxVerifyRows)
	case r.Rate < 0 || r.ByteRate < 0 || r.MemLimit < 0 || r.QueryTimeout < 0:
		return errors.New("[normal] rate, byte_rate, mem_limit and query_timeout must not be negative; 0 is no bound")
	case r.QueryTimeout > 0 && r.QueryTimeout < time.Second:
		return fmt.Errorf("[normal] query_timeout is %s: it has to be a second at least", r.QueryTimeout)
	}
	return validatePatterns("tables", r.Tables)
}

// Fits refuses a normalized request that is not one for such a job.
func (r *VerifyRequest) Fits(t SyncType) error {
	switch {
	case t == TableSync && len(r.Tables) > 0:
		return errors.New("[normal] tables is for database jobs; this job replicates a single table, and that is what is verified")
	case len(r.Partitions) == 0 || t == TableSync:
		return nil
	case len(r.Tables) != 1 || strings.ContainsAny(r.Tables[0], "*?"):
		return errors.New("[normal] partitions need exactly one table: name it in tables, without * and ?")
	}
	return nil
}

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
