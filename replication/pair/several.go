package pair

import (
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// Several binlogs that follow each other may be applied in one step of the workflow
// (architecture.md 4.3). Before each of them the step has the outcomes of all earlier ones
// recorded, so that of one binlog at most the outcome is unknown, as it is with a step for
// each. But these records can be lost: an order to the job that comes while the step waits
// for another worker, after the death of the one that had it, has Temporal forget what
// the step has told. Then all of them are applied once more, in order, to a destination
// that may have all already.

const (
	// MostTogether is how many binlogs one step takes.
	MostTogether = 50
	// togetherData bounds their data, in bytes: it is in the history twice.
	togetherData = 128 << 10
)

// repeatable are the types that may be repeated in order after later ones of these types:
// they go by ids or say IF [NOT] EXISTS, and what they find otherwise ends in what the
// binlog says, or in a snapshot of the table. An object that got another name in between
// would not be found by all of them, so what renames, exchanges or recovers has a step of
// its own. So has what is brought by a snapshot anyway.
var repeatable = []binlog.Type{
	binlog.TypeAddPartition, binlog.TypeDropPartition, binlog.TypeTruncateTable,
	binlog.TypeCreateTable, binlog.TypeDropTable, binlog.TypeModifyTableAddOrDropColumns,
	binlog.TypeModifyTableProperty, binlog.TypeModifyComment,
}

// Repeatable tells whether a binlog may share a step with others.
func Repeatable(t binlog.Type) bool { return slices.Contains(repeatable, t) }

// Together decides how many binlogs go into one step.
type Together struct{ binlogs, bytes int }

// Add tells whether a binlog with so much data fits in, and counts it if it does.
func (t *Together) Add(data int) bool {
	if t.binlogs > 0 && (t.binlogs >= MostTogether || t.bytes+data > togetherData) {
		return false
	}
	t.binlogs, t.bytes = t.binlogs+1, t.bytes+data
	return true
}
