// Package be is a simulated Doris backend: tablets with versioned rowsets, the
// BackendService (ingest_binlog), and the HTTP server that other backends
// download binlogs and snapshots from.
//
// The FE of the same cluster drives a backend by Go calls, which stand for the
// agent tasks of real Doris. Another cluster reaches it through its sockets
// only (architecture.md 7).
package be

import (
	"context"
	"errors"
	"time"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// Errors of the task interface.
var (
	ErrDown           = errors.New("backend is down")
	ErrTabletMissing  = errors.New("tablet not found")
	ErrVersionMissing = errors.New("version not found")
)

// Tasks is what the FE asks of its own backends. *Backend implements it. Every
// call fails with ErrDown while the backend is killed.
type Tasks interface {
	// CreateTablet makes an empty tablet at version 1.
	CreateTablet(t TabletSpec) error
	// DropTablet removes a tablet and its binlogs. Unknown tablets are ignored.
	DropTablet(tabletID int64)
	// UpdateSchema replaces the schema after a light schema change: older
	// rowsets are read with defaults for the columns they lack.
	UpdateSchema(tabletID int64, s types.Schema) error
	// Rebase replaces everything up to version by the merge of rows, which name
	// all columns; what was published later stays on top. A tablet that was
	// behind is at version then.
	Rebase(tabletID, version int64, rows RowsetData) error
	// SetInvertedIndexes says which inverted indexes later rowsets have.
	SetInvertedIndexes(tabletID int64, ids []int64) error
	// BuildIndexes gives the rowsets that lack them the files of the tablet's
	// inverted indexes, or takes those files away when it has none left. Binlogs
	// keep the files they had.
	BuildIndexes(tabletID int64) error
	// Stats tells how many rows the tablet's rowsets have, merged or not, how
	// large their files are, and how many rowsets there are.
	Stats(tabletID int64) (rows, bytes int64, versions int)
	// SetBinlog switches keeping binlogs of the tablet on or off.
	SetBinlog(tabletID int64, enabled bool) error

	// Write puts rows into the transaction's rowset of the tablet; it is invisible
	// until published. Repeating replaces.
	Write(txnID, partitionID, tabletID int64, rows RowsetData) error
	// CanPublish tells whether the transaction has a committed rowset for the tablet.
	CanPublish(txnID, tabletID int64) bool
	// Publish makes the transaction's rowset of the tablet visible as version.
	// The version must be the tablet's next one; repeating is no error. A
	// transaction that wrote nothing into the tablet publishes an empty rowset,
	// one whose rowset was aborted or is still being ingested is refused.
	Publish(txnID, partitionID, tabletID, version int64) error
	// Abort drops what the transaction wrote.
	Abort(txnID int64)
	// Version is the tablet's highest contiguous version.
	Version(tabletID int64) (int64, error)

	// Scan returns the merged rows as of version, in key order for key models,
	// in insertion order for duplicate tables. Callers must not change them.
	Scan(ctx context.Context, tabletID, version int64) ([]types.Row, error)
	// ScanMarked is Scan with what the hidden columns of UNIQUE tables say, and
	// with the rows that are deleted as of version and not compacted away yet.
	ScanMarked(ctx context.Context, tabletID, version int64) ([]MarkedRow, error)
	// Clone copies a tablet, its binlogs included, from a sibling backend of the
	// same cluster, to repair or move a replica; it fails if the sibling is behind.
	Clone(ctx context.Context, tabletID int64, from *Backend) error

	// MakeSnapshot freezes the tablet at version in a directory that lives for
	// timeout and returns the snapshot root (doris-rpc.md 5.3:
	// tablet_snapshot_path_map) and the file names.
	MakeSnapshot(tabletID, version int64, timeout time.Duration) (root string, files []string, err error)
	// ReleaseSnapshot removes a snapshot root.
	ReleaseSnapshot(root string)
	// Download fetches a tablet snapshot from a remote backend by HTTP
	// (doris-rpc.md 4.4) and keeps it aside until MoveIn or Discard.
	Download(ctx context.Context, d DownloadTask) error
	// MoveIn replaces the tablet's content by what was downloaded under jobID;
	// the tablet's version becomes the snapshot's.
	MoveIn(jobID, tabletID int64) error
	// Discard forgets what was downloaded under jobID.
	Discard(jobID int64)

	// ReleaseBinlogs lets the tablet forget binlogs up to version.
	ReleaseBinlogs(tabletID, version int64)
}

// MarkedRow is a row with its marks.
type MarkedRow struct {
	Row     types.Row
	Deleted bool
	// Version is that of the load which wrote the row.
	Version int64
}

// TabletSpec describes a new tablet.
type TabletSpec struct {
	TabletID, PartitionID, TableID, IndexID int64
	Schema                                  types.Schema
	BinlogEnabled                           bool
	// MergeOnWrite tablets have delete bitmaps (UNIQUE tables only).
	MergeOnWrite bool
	// InvertedIndexes are the ids of inverted indexes: each adds a file per
	// segment to binlogs and snapshots (doris-rpc.md 4.3).
	InvertedIndexes []int64
}

// RowsetData is the content of one rowset.
type RowsetData struct {
	// Columns names what Rows hold, in order; a partial list means a partial
	// update of a UNIQUE table (the other columns keep their old value).
	Columns []string
	Rows    []types.Row
	// Delete marks rows (by index) that delete their key (UNIQUE tables).
	Delete map[int]bool
	// Predicate deletes the older rows that satisfy it (DELETE FROM of
	// duplicate and aggregate tables); nil = none.
	Predicate *DeletePredicate
}

// DeletePredicate is a conjunction.
type DeletePredicate struct{ Conditions []Condition }

// Condition is column op value; Op is one of = != < <= > >= IN NOT_IN IS_NULL IS_NOT_NULL.
type Condition struct {
	Column string
	Op     string
	Values []types.Value
}

// DownloadTask names one tablet of a restore.
type DownloadTask struct {
	JobID          int64
	TabletID       int64
	RemoteTabletID int64
	RemoteHost     string
	RemotePort     int
	RemoteDir      string // <root>/<remote tablet>/<schema hash>
	Token          string
}
