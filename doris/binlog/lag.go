package binlog

import "time"

// Lag is the distance between a position in the log of a source and the end of that log.
type Lag struct {
	Binlogs        int64 `json:"lag"` // not yet consumed
	FirstCommitSeq int64 `json:"first_commit_seq"`
	LastCommitSeq  int64 `json:"last_commit_seq"`
	NextCommitSeq  int64 `json:"next_commit_seq"`
	// Timestamps in ms since the epoch; -1 or 0 = unknown.
	FirstTimestamp int64 `json:"first_timestamp"`
	LastTimestamp  int64 `json:"last_timestamp"`
	NextTimestamp  int64 `json:"next_timestamp"`
	// NextBefore is a time, in ms, at which the next binlog had been written already,
	// where the source does not tell when it was. 0 = unknown.
	NextBefore int64 `json:"next_before,omitempty"`
	// ObservedAt is when the source was asked.
	ObservedAt time.Time `json:"observed_at,omitzero"`
}

// Behind is how old the oldest binlog is that is not consumed: what was written since is
// missing at now, or about how old. It is zero when nothing is left, and not known while
// the source has not been asked or does not tell the time of that binlog.
func (l Lag) Behind(now time.Time) (age time.Duration, known bool) {
	switch {
	case l.ObservedAt.IsZero():
		return 0, false
	case l.Binlogs == 0:
		return 0, true
	case l.NextTimestamp > 0:
		return max(0, now.Sub(time.UnixMilli(l.NextTimestamp))), true
	case l.NextBefore > 0:
		return max(0, now.Sub(time.UnixMilli(l.NextBefore))), true
	}
	return 0, false
}

// Seconds is last binlog time minus next binlog time, as time_interval_secs
// (http-api.md 3.3); 0 when either is unknown or nothing is left.
func (l Lag) Seconds() int64 {
	if l.Binlogs == 0 || l.LastTimestamp <= 0 || l.NextTimestamp <= 0 || l.LastTimestamp < l.NextTimestamp {
		return 0
	}
	return (l.LastTimestamp - l.NextTimestamp) / 1000
}
