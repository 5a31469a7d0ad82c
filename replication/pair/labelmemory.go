package pair

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/doris-ccr/ccr/replication/problem"
)

// The settings that say how long a destination remembers the transactions of a
// database, and Doris' defaults. Both can be changed at run time
// (doris-rpc.md 3.7).
const (
	LabelSeconds = "streaming_label_keep_max_second"
	LabelNumber  = "label_num_threshold"

	DefaultLabelSeconds = 43200
	DefaultLabelNumber  = 2000
)

// mostUncovered is how many destination transactions may be beyond the last
// synchronous report at most (architecture.md 4.2).
const mostUncovered = 500

// LabelMemory is how long a destination remembers finished transactions.
type LabelMemory struct {
	Seconds int64
	Number  int64 // of a database, other loads and aborted ones included; -1 = no limit
	Known   bool  // by the destination; else these are the defaults
}

// DefaultLabelMemory is counted on where the settings cannot be read.
var DefaultLabelMemory = LabelMemory{Seconds: DefaultLabelSeconds, Number: DefaultLabelNumber}

// LabelMemory asks the destination how long it remembers. Its master must be
// known: the settings are the master's.
func (c *Cluster) LabelMemory(ctx context.Context) (LabelMemory, error) {
	m := DefaultLabelMemory
	for _, item := range []struct {
		name  string
		value *int64
	}{{LabelSeconds, &m.Seconds}, {LabelNumber, &m.Number}} {
		text, known, err := c.SQL.FrontendConfig(ctx, item.name)
		if problem.LacksPrivilege(err) {
			return DefaultLabelMemory, nil
		}
		if err != nil {
			return m, fmt.Errorf("ask how long the destination remembers labels: %w", err)
		}
		if !known {
			continue // a version without it
		}
		if *item.value, err = strconv.ParseInt(text, 10, 64); err != nil {
			return m, fmt.Errorf("ask how long the destination remembers labels: %s is %q: %w", item.name, text, err)
		}
	}
	m.Known = true
	return m, nil
}

// Keeps is how long a finished transaction is surely remembered, an hour less
// than twelve: clocks differ.
func (m LabelMemory) Keeps() time.Duration {
	return time.Duration(m.Seconds) * time.Second * 11 / 12
}

// Crowded tells whether a database with so many transactions may have forgotten
// some.
func (m LabelMemory) Crowded(transactions int) bool {
	return m.Number > 0 && int64(transactions) >= m.Number*19/20
}

// Uncovered is how many transactions may be beyond the last synchronous report:
// that comes at least four times before the destination forgets, if nobody else
// loads into the database.
func (m LabelMemory) Uncovered() int {
	if m.Number <= 0 {
		return mostUncovered
	}
	return int(max(1, min(mostUncovered, m.Number/4)))
}
