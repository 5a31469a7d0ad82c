package replication

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// The settings that say how long a destination remembers the transactions of a
// database, and Doris' defaults. Both can be changed at run time
// (doris-rpc.md 3.7).
const (
	labelSeconds = "streaming_label_keep_max_second"
	labelNumber  = "label_num_threshold"

	defaultLabelSeconds = 43200
	defaultLabelNumber  = 2000
)

// mostUncovered is how many destination transactions may be beyond the last
// synchronous report at most (architecture.md 4.2).
const mostUncovered = 500

// labelMemory is how long a destination remembers finished transactions.
type labelMemory struct {
	seconds int64
	number  int64 // of a database, other loads and aborted ones included; -1 = no limit
	told    bool  // by the destination; else these are the defaults
}

// defaultMemory is counted on where the settings cannot be read.
var defaultMemory = labelMemory{seconds: defaultLabelSeconds, number: defaultLabelNumber}

// labelMemory asks the destination how long it remembers. Its master must be
// known: the settings are the master's.
func (c *cluster) labelMemory(ctx context.Context) (labelMemory, error) {
	m := defaultMemory
	for _, item := range []struct {
		name  string
		value *int64
	}{{labelSeconds, &m.seconds}, {labelNumber, &m.number}} {
		text, known, err := c.sql.FrontendConfig(ctx, item.name)
		if lacksPrivilege(err) {
			return defaultMemory, nil
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
	m.told = true
	return m, nil
}

// keeps is how long a finished transaction is surely remembered, an hour less
// than twelve: clocks differ.
func (m labelMemory) keeps() time.Duration {
	return time.Duration(m.seconds) * time.Second * 11 / 12
}

// crowded tells whether a database with so many transactions may have forgotten
// some.
func (m labelMemory) crowded(transactions int) bool {
	return m.number > 0 && int64(transactions) >= m.number*19/20
}

// uncovered is how many transactions may be beyond the last synchronous report:
// that comes at least four times before the destination forgets, if nobody else
// loads into the database.
func (m labelMemory) uncovered() int {
	if m.number <= 0 {
		return mostUncovered
	}
	return int(max(1, min(mostUncovered, m.number/4)))
}
