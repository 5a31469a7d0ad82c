package be

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// rowsetMeta describes a rowset to whoever reads its files: the simulator's
// RowsetMetaPB. It is what get_rowset_meta serves (doris-rpc.md 4.3).
type rowsetMeta struct {
	RowsetID    string `json:"rowset_id"`
	TabletID    int64  `json:"tablet_id"`
	PartitionID int64  `json:"partition_id"`
	TxnID       int64  `json:"txn_id"`
	Version     int64  `json:"version"`
	Rows        int    `json:"num_rows"`
	Segments    int    `json:"num_segments"`
	// Schema is the tablet's when the rowset was written: a destination with
	// other columns refuses it.
	Schema json.RawMessage `json:"schema"`
	// Columns are the cells of each row; fewer than Schema's in a partial update.
	Columns []string `json:"columns"`
	// Partial marks a partial update.
	Partial bool `json:"partial,omitempty"`
	// Predicate is an encoded DeletePredicate.
	Predicate []byte `json:"predicate,omitempty"`
	// Indexed tells that every segment has an inverted index file (format V2).
	Indexed bool `json:"indexed,omitempty"`
}

// rowset is an immutable set of rows. Its files never change, so tablets,
// binlogs, snapshots and clones share it.
type rowset struct {
	id          string
	partitionID int64
	txnID       int64
	// loadID tells loads apart: Doris gives each an id that its binlogs keep.
	loadID     int64
	rows       int
	schema     *schema
	columns    []string
	partial    bool
	predicate  *DeletePredicate
	segments   [][]byte
	indexFiles [][]byte // one a segment, or none
	// unmarked are rows, ascending, whose marks in the delete bitmap are lost.
	unmarked []int

	decoded atomic.Pointer[[]entry]
}

// newRowset encodes entries into files of at most perSegment rows.
func newRowset(id string, s *schema, columns []string, entries []entry, perSegment int) (*rowset, error) {
	rs := &rowset{id: id, schema: s, columns: columns, rows: len(entries)}
	for start := 0; start < len(entries); start += perSegment {
		file, err := encodeSegment(entries[start:min(start+perSegment, len(entries))], len(columns))
		if err != nil {
			return nil, fmt.Errorf("encode segment %d: %w", len(rs.segments), err)
		}
		rs.segments = append(rs.segments, file)
	}
	return rs, nil
}

// addIndexFiles gives every segment its inverted index file.
func (rs *rowset) addIndexFiles() {
	rs.indexFiles = make([][]byte, len(rs.segments))
	for i, s := range rs.segments {
		rs.indexFiles[i] = []byte("DIDX" + hexMD5(s))
	}
}

// entries returns the decoded rows. Callers must not change them.
func (rs *rowset) entries() ([]entry, error) {
	if cached := rs.decoded.Load(); cached != nil {
		return *cached, nil
	}
	var all []entry
	for i, file := range rs.segments {
		entries, err := decodeSegment(file, len(rs.columns))
		if err != nil {
			return nil, fmt.Errorf("rowset %s segment %d: %w", rs.id, i, err)
		}
		all = append(all, entries...)
	}
	if len(all) != rs.rows {
		return nil, fmt.Errorf("rowset %s has %d rows, its meta %d: %w", rs.id, len(all), rs.rows, errCorrupt)
	}
	rs.decoded.Store(&all)
	return all, nil
}

// forget drops the decoded copy; the files stay.
func (rs *rowset) forget() { rs.decoded.Store(nil) }

// encodeMeta serializes the meta for the tablet and version under which the
// rowset is kept.
func (rs *rowset) encodeMeta(tabletID, version int64) ([]byte, error) {
	meta := rowsetMeta{
		RowsetID: rs.id, TabletID: tabletID, PartitionID: rs.partitionID, TxnID: rs.txnID, Version: version,
		Rows: rs.rows, Segments: len(rs.segments), Schema: rs.schema.encoded, Columns: rs.columns, Partial: rs.partial,
		Indexed: len(rs.indexFiles) > 0,
	}
	if rs.predicate != nil {
		p, err := encodePredicate(rs.predicate)
		if err != nil {
			return nil, err
		}
		meta.Predicate = p
	}
	b, err := json.Marshal(meta)
	if err != nil {
		return nil, fmt.Errorf("encode rowset meta: %w", err)
	}
	return b, nil
}

// decodeMeta parses a serialized rowset meta.
func decodeMeta(b []byte) (*rowsetMeta, error) {
	var m rowsetMeta
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("decode rowset meta: %w", err)
	}
	return &m, nil
}

// rowsetFromMeta makes a rowset of downloaded files. Segments and index files
// are attached by the caller; s is the rowset's schema in local terms.
func rowsetFromMeta(m *rowsetMeta, s *schema) (*rowset, error) {
	rs := &rowset{
		id: m.RowsetID, partitionID: m.PartitionID, txnID: m.TxnID, loadID: m.TxnID, rows: m.Rows,
		schema: s, columns: m.Columns, partial: m.Partial,
	}
	if m.Predicate != nil {
		p, err := decodePredicate(m.Predicate)
		if err != nil {
			return nil, err
		}
		rs.predicate = p
	}
	for _, name := range m.Columns {
		if s.ColumnIndex(name) < 0 {
			return nil, fmt.Errorf("column %s of the rowset is not in its schema", name)
		}
	}
	return rs, nil
}

// segmentName and indexName are the names of a rowset's files in snapshots.
func (rs *rowset) segmentName(i int) string { return fmt.Sprintf("%s_%d.dat", rs.id, i) }
func (rs *rowset) indexName(i int) string   { return fmt.Sprintf("%s_%d.idx", rs.id, i) }

// hexMD5 is the digest as Content-MD5 carries it: lower-case hex.
func hexMD5(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// schema is a tablet schema with its encoding, made once.
type schema struct {
	types.Schema
	encoded []byte
}

func newSchema(s types.Schema) (*schema, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return &schema{Schema: s, encoded: b}, nil
}
