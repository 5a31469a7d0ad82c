package pair

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/thriftpool"
	"github.com/doris-ccr/ccr/replication/problem"
)

const (
	// batchBytes is about how large one batch of binlogs may be. A shift holds two:
	// one that it applies and the next.
	batchBytes = 8 << 20
	// batchMost is the most that an answer with several binlogs may have.
	batchMost = 2 * batchBytes
	// firstBatch is how many binlogs are asked for before any size is known.
	firstBatch = 32
	// recordOverhead is about what a binlog takes beside its data.
	recordOverhead = 200
)

// BatchSize decides how many binlogs to ask for at once: as many as fit, by the
// sizes of the last ones, and less after a call that was too much.
type BatchSize struct {
	Most  int64 // never more
	Limit int64 // not more now
	bytes int64 // about what one takes, 0 = unknown

	// After a call that was too much, more is asked for only after so many full
	// answers; calm is how many of them are still to come.
	wait, calm int
}

const (
	// leastWait and mostWait bound how many full answers are waited for.
	leastWait = 8
	mostWait  = 512
)

// NewBatchSize starts with what one binlog may need; most is the greatest number a call asks for.
func NewBatchSize(most int) *BatchSize {
	return &BatchSize{Most: int64(most), Limit: min(int64(most), firstBatch)}
}

// next is how many binlogs to ask for.
func (b *BatchSize) next() int64 {
	n := b.Limit
	if b.bytes > 0 {
		n = min(n, batchBytes/b.bytes)
	}
	return max(1, n)
}

// Got notes what has come. One large binlog counts at once, small ones by and by.
func (b *BatchSize) Got(records []binlog.Record) {
	if len(records) == 0 {
		return
	}
	if int64(len(records)) >= b.next() {
		b.grow()
	}
	sum, largest := int64(0), int64(0)
	for _, rec := range records {
		size := int64(len(rec.Data)) + recordOverhead
		sum += size
		largest = max(largest, size)
	}
	mean := max(sum/int64(len(records)), largest/8)
	b.bytes = max(mean, (7*b.bytes+mean)/8)
}

// grow lets more be asked for after a full answer.
func (b *BatchSize) grow() {
	if b.calm > 0 {
		b.calm--
		return
	}
	b.Limit = min(b.Most, 2*b.Limit)
	if b.Limit == b.Most {
		b.wait = 0
	}
}

// Less asks for less after an error that a smaller answer may avoid. It tells
// whether that is possible.
func (b *BatchSize) Less(asked int64, err error) bool {
	if asked <= 1 || !tooMuch(err) {
		return false
	}
	b.Limit = max(1, asked/4)
	b.wait = min(max(leastWait, 2*b.wait), mostWait)
	b.calm = b.wait
	return true
}

// Ask asks for as many binlogs as are expected to fit, and has the answer refused
// that does not. A single one may be as large as the client accepts at all.
func (b *BatchSize) Ask(req *fe.BinlogRequest) {
	req.Limit, req.MaxBytes = b.next(), 0
	if req.Limit > 1 {
		req.MaxBytes = batchMost
	}
}

// tooMuch tells whether an answer did not come in time, or was larger than it may
// be.
func tooMuch(err error) bool {
	var lost *fe.TransportError
	return errors.Is(err, fe.ErrTooLarge) || errors.As(err, &lost) && lost.Sent &&
		(errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded))
}

// Oversized explains that a single binlog cannot be read.
func Oversized(asked int64, err error) error {
	if asked > 1 || !errors.Is(err, fe.ErrTooLarge) {
		return err
	}
	return problem.WithRemedy(fmt.Errorf("the next binlog is larger than the %d MiB that an answer may have: %w", thriftpool.DefaultMaxMessageSize>>20, err),
		"force_fullsync brings what it did; smaller transactions, or fewer partitions in one statement, avoid it")
}
