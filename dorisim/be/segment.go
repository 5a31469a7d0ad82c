package be

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// A segment file is a magic word, the number of columns, the number of rows,
// the rows (a flag byte, then the cells), and a CRC32-C of all of it.

const (
	segmentMagic = "DSG1"
	rowDeleted   = 1 // flag: the row deletes its key
	rowStray     = 2 // flag: the row is visible beside what supersedes it
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// entry is one stored row.
type entry struct {
	row     types.Row
	deleted bool
	stray   bool // see deletebitmap.go
	// version is the one whose load wrote the row; files do not have it.
	version int64
}

// encodeSegment writes rows of width cells into one segment file.
func encodeSegment(entries []entry, width int) ([]byte, error) {
	b := make([]byte, 0, 16+len(entries)*(1+width*8))
	b = append(b, segmentMagic...)
	b = binary.AppendUvarint(b, uint64(width))
	b = binary.AppendUvarint(b, uint64(len(entries)))
	var err error
	for i, e := range entries {
		if len(e.row) != width {
			return nil, fmt.Errorf("row %d has %d values, want %d", i, len(e.row), width)
		}
		flag := byte(0)
		if e.deleted {
			flag |= rowDeleted
		}
		if e.stray {
			flag |= rowStray
		}
		b = append(b, flag)
		for _, v := range e.row {
			if b, err = appendValue(b, v); err != nil {
				return nil, fmt.Errorf("row %d: %w", i, err)
			}
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// decodeSegment reads a segment file of rows with width cells.
func decodeSegment(file []byte, width int) ([]entry, error) {
	body := len(file) - 4
	if body < len(segmentMagic) || string(file[:len(segmentMagic)]) != segmentMagic {
		return nil, fmt.Errorf("segment header: %w", errCorrupt)
	}
	if crc32.Checksum(file[:body], castagnoli) != binary.LittleEndian.Uint32(file[body:]) {
		return nil, fmt.Errorf("segment checksum: %w", errCorrupt)
	}
	r := reader{b: file[len(segmentMagic):body]}
	columns, rows := r.uvarint(), r.uvarint()
	if columns != uint64(width) {
		return nil, fmt.Errorf("segment has %d columns, its meta %d: %w", columns, width, errCorrupt)
	}
	if rows > uint64(len(r.b)) || rows*uint64(1+width) > uint64(len(r.b)) { // every cell takes a byte at least
		return nil, fmt.Errorf("segment row count: %w", errCorrupt)
	}
	entries := make([]entry, rows)
	cells := make([]types.Value, int(rows)*width)
	for i := range entries {
		flag := r.byte()
		row := cells[i*width : (i+1)*width : (i+1)*width]
		for c := range row {
			row[c] = r.value()
		}
		if r.err != nil {
			return nil, fmt.Errorf("segment row %d: %w", i, r.err)
		}
		entries[i] = entry{row: row, deleted: flag&rowDeleted != 0, stray: flag&rowStray != 0}
	}
	if len(r.b) != 0 {
		return nil, fmt.Errorf("segment trailer: %w", errCorrupt)
	}
	return entries, nil
}
