package job

import (
	"fmt"
	"time"
)

// WorkflowTypeTableSizes is the short workflow that asks the two clusters of a job how
// many rows and bytes tables have. Its input is a TableSizesWanted, its result a
// TableSizes. Names are part of the interface.
const (
	WorkflowTypeTableSizes     = "DescribeTables"
	TableSizesWorkflowIDPrefix = "ccr-tables-"
	ActivityDescribeTables     = "DescribeTables"
)

// MaxTableSizes bounds the tables that one look asks for.
const MaxTableSizes = 200

// TableSizesWanted names tables of a job, MaxTableSizes on each side at most.
type TableSizesWanted struct {
	Job         string   `json:"job"`
	Source      []string `json:"src"`
	Destination []string `json:"dest"`
}

// TableSizes is what both clusters say of tables.
type TableSizes struct {
	Source      SideSizes `json:"src"`
	Destination SideSizes `json:"dest"`
}

// SideSizes is what one cluster says. A table that it does not tell of is absent.
type SideSizes struct {
	At     time.Time            `json:"at"`
	Tables map[string]TableSize `json:"tables,omitempty"`
	// Error is why nothing is known, "" if something is.
	Error string `json:"error,omitempty"`
}

// TableSize is what a cluster says of a table: a frontend asks its backends once a
// minute, so it is that old (doris-sql.md 5.6).
type TableSize struct {
	Rows int64 `json:"rows"`
	// Bytes are those of all replicas.
	Bytes int64 `json:"bytes"`
	// Changed is when its data changed last by that cluster's clock: a load, a restore, a truncation, or a new
	// partition (Update_time, doris-sql.md 5.6). The zero time: it does not tell.
	Changed time.Time `json:"changed,omitzero"`
}

// SizeText writes a number of bytes for people: 1536 as 1.5 KiB.
func SizeText(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	size, units := float64(n)/1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB"}
	for len(units) > 1 && size >= 1024 {
		size, units = size/1024, units[1:]
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}
