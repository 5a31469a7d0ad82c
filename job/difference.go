package job

import "time"

// DifferenceKind says in what the two sides differ.
type DifferenceKind string

// The kinds of differences that a job finds by itself.
const (
	DifferentRows       DifferenceKind = "rows"       // another number of rows
	DifferentDefinition DifferenceKind = "definition" // SHOW CREATE says something else
	DifferentPartitions DifferenceKind = "partitions" // one side has a partition more
	DifferentObjects    DifferenceKind = "objects"    // one side has the table or view, or has it under another name
)

// Difference is one thing in which source and destination differ although the job
// has applied all that the source has recorded.
type Difference struct {
	// Table is the name of the table or view at the source.
	Table string         `json:"table"`
	Kind  DifferenceKind `json:"kind"`
	// Text says what each side has.
	Text string `json:"text"`
	// Since is when it was first seen.
	Since time.Time `json:"since"`
}

// Comparing tells how a job's comparing of the two sides goes. That nothing is
// known to differ says no more than what was compared.
type Comparing struct {
	// Off: nobody compares (compare-every is 0), so that nothing is known.
	Off bool `json:"off,omitempty"`
	// ComparedAt is when a table was compared last, zero if none was.
	ComparedAt time.Time `json:"compared_at,omitzero"`
	// NotCompared are the tables that cannot be, or not wholly, by name, and at most
	// MaxNotCompared of them; NotComparedTotal is how many there are.
	NotCompared      []NotCompared `json:"not_compared,omitempty"`
	NotComparedTotal int           `json:"not_compared_total,omitempty"`
}

// AllTables stands in NotCompared for the names of all tables, which are compared,
// too.
const AllTables = "*"

// NotCompared is a table that is not compared, or of which the rows are not
// counted.
type NotCompared struct {
	Table string    `json:"table"`
	Text  string    `json:"text"` // why
	Since time.Time `json:"since"`
}

// MaxNotCompared bounds how many a job tells of.
const MaxNotCompared = 20

// MaxDifferences bounds how many a job tells of.
const MaxDifferences = 20

// Same tells whether both are the same difference, seen at different times.
func (d Difference) Same(other Difference) bool {
	d.Since, other.Since = time.Time{}, time.Time{}
	return d == other
}
