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
	case r.HoldLimit() < 0 || r.HoldLimit() > MaxHold:
		return fmt.Errorf("[normal] hold is %s: it has to be from 0s to %s", r.HoldLimit(), MaxHold)
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
