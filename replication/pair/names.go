package pair

import (
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// IsTrue reads a boolean of Doris' settings.
func IsTrue(value string) bool { return strings.EqualFold(value, "true") || value == "1" }

const (
	// listed bounds the names that one check shows.
	listed = 10
)

// SomeOf shows names, not too many.
func SomeOf(names []string) string {
	slices.Sort(names)
	if len(names) > listed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], ", "), len(names)-listed)
	}
	return strings.Join(names, ", ")
}

// RollupNames are the names of a table's finished indexes without the base.
func RollupNames(t *meta.Table) map[string]bool {
	names := map[string]bool{}
	if len(t.Partitions) == 0 {
		return names
	}
	for _, index := range t.Partitions[0].Indexes {
		if !t.IsBase(index) && !index.Shadow() {
			names[index.Name] = true
		}
	}
	return names
}

// StillMapped tells whether another source table has the destination table.
func StillMapped(tables map[int64]job.Table, source, destination int64) bool {
	for id, t := range tables {
		if id != source && t.DestID == destination && !t.Gone {
			return true
		}
	}
	return false
}

// MetaChunk is how many tables one getMeta asks for: their whole trees come back.
const MetaChunk = 50

// DestinationName is what a source table is called on the destination.
func (j *Job) DestinationName(source string) string {
	if j.Spec.Type() == job.TableSync {
		return j.Spec.Destination.Table
	}
	return source
}

// QuoteNames quotes each name for a statement.
func QuoteNames(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = sqlclient.Quote(name)
	}
	return quoted
}
