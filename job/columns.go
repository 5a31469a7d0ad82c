package job

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// What of a job's state grows with the number of its tables is packed where it has to
// travel: sorted by id and in columns, so that a table is some bytes only, and then
// compressed. The first byte is the format; a worker that does not know it must not
// guess.

// packedFormat is the format that is written.
const packedFormat = 1

const (
	// unpackLimit bounds what packed bytes may grow to, in bytes.
	unpackLimit = 256 << 20
	// packWindow lets the compression find the names of a snapshot's tables in those
	// of the job, which are some MB before.
	packWindow = 8 << 20
)

var (
	errPackedFormat = errors.New("packed in a format that this version does not know")
	errPackedDamage = errors.New("the packed state is damaged")
)

// bulk is what grows with the number of tables.
type bulk struct {
	tables, restored       map[int64]Table
	partitions, restoredIn map[int64]int64
	rest                   bulkRest
}

// bulkRest is what is rarely large: it is packed as JSON.
type bulkRest struct {
	Aliases map[string]string `json:"aliases,omitempty"`
	Awaited []PartialSync     `json:"awaited,omitempty"`
}

// entries is how many entries there are.
func (b *bulk) entries() int {
	return len(b.tables) + len(b.restored) + len(b.partitions) + len(b.restoredIn) + len(b.rest.Aliases) + len(b.rest.Awaited)
}

// pack encodes a bulk.
func (b *bulk) pack() ([]byte, error) {
	rest, err := json.Marshal(b.rest)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	var w columnWriter
	w.tables(b.tables)
	w.tables(b.restored)
	w.seqs(b.partitions)
	w.seqs(b.restoredIn)
	w.column(rest)
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(packWindow), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	defer z.Close()
	return z.EncodeAll(w.out, []byte{packedFormat}), nil
}

// unpackBulk is the inverse of pack.
func unpackBulk(data []byte) (bulk, error) {
	if len(data) == 0 || data[0] != packedFormat {
		return bulk{}, errPackedFormat
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(unpackLimit), zstd.WithDecoderMaxWindow(packWindow))
	if err != nil {
		return bulk{}, fmt.Errorf("unpack: %w", err)
	}
	defer z.Close()
	plain, err := z.DecodeAll(data[1:], nil)
	if err != nil {
		return bulk{}, fmt.Errorf("%w: %w", errPackedDamage, err)
	}
	r := columnReader{in: plain}
	b := bulk{tables: r.tables(), restored: r.tables(), partitions: r.seqs(), restoredIn: r.seqs()}
	rest := r.column()
	if r.damaged || len(r.in) > 0 {
		return bulk{}, errPackedDamage
	}
	if err := json.Unmarshal(rest, &b.rest); err != nil {
		return bulk{}, fmt.Errorf("%w: %w", errPackedDamage, err)
	}
	return b, nil
}

// columnWriter writes columns.
type columnWriter struct{ out []byte }

func (w *columnWriter) column(data []byte) {
	w.out = binary.AppendUvarint(w.out, uint64(len(data)))
	w.out = append(w.out, data...)
}

// numbers writes numbers as planes: the lowest bytes of all of them, then the next.
// The planes of high bytes are nearly empty, and each compresses for itself.
func (w *columnWriter) numbers(values []uint64) {
	var all uint64
	for _, v := range values {
		all |= v
	}
	width := (bits.Len64(all) + 7) / 8
	w.out = append(w.out, byte(width))
	for plane := range width {
		for _, v := range values {
			w.out = append(w.out, byte(v>>(8*plane)))
		}
	}
}

// texts writes texts as planes, too: the last bytes of all of them, then the last but
// one. The digits at the end of names and those of hashes come to stand in columns.
func (w *columnWriter) texts(texts []string) {
	lengths := make([]uint64, len(texts))
	for i, text := range texts {
		lengths[i] = uint64(len(text))
	}
	w.numbers(lengths)
	for plane, left := 1, texts; len(left) > 0; plane++ {
		var longer []string
		for _, text := range left {
			if len(text) >= plane {
				w.out = append(w.out, text[len(text)-plane])
				longer = append(longer, text)
			}
		}
		left = longer
	}
}

// noMap stands for the number of entries of a map that is nil.
const noMap = 0

// size writes how many entries a map has, and whether there is one.
func (w *columnWriter) size(entries int, is bool) bool {
	if !is {
		w.out = binary.AppendUvarint(w.out, noMap)
		return false
	}
	w.out = binary.AppendUvarint(w.out, uint64(entries)+1)
	return true
}

// tables writes a map of tables. Each number is told by its difference to the one
// before, a name by what it has in common with the one before.
func (w *columnWriter) tables(tables map[int64]Table) {
	if !w.size(len(tables), tables != nil) {
		return
	}
	var ids, destinations, flags, shared, seqs, partly []uint64
	var names []string
	var id int64
	var before Table
	//workflowcheck:ignore sorted
	for _, next := range slices.Sorted(maps.Keys(tables)) {
		t := tables[next]
		n := sharedPrefix(before.Name, t.Name)
		ids = append(ids, uint64(next-id))
		destinations = append(destinations, zigzag(t.DestID-before.DestID))
		flags = append(flags, uint64(t.flags()))
		shared = append(shared, uint64(n))
		names = append(names, t.Name[n:])
		seqs = append(seqs, zigzag(t.CommitSeq-before.CommitSeq))
		partly = append(partly, zigzag(t.Partly-before.Partly))
		id, before = next, t
	}
	for _, column := range [][]uint64{ids, destinations, flags, shared, seqs, partly} {
		w.numbers(column)
	}
	w.texts(names)
}

// seqs writes a map of commit seqs by id.
func (w *columnWriter) seqs(seqs map[int64]int64) {
	if !w.size(len(seqs), seqs != nil) {
		return
	}
	var ids, values []uint64
	var id, value int64
	//workflowcheck:ignore sorted
	for _, next := range slices.Sorted(maps.Keys(seqs)) {
		ids = append(ids, uint64(next-id))
		values = append(values, zigzag(seqs[next]-value))
		id, value = next, seqs[next]
	}
	w.numbers(ids)
	w.numbers(values)
}

// zigzag makes small numbers of either sign small.
func zigzag(v int64) uint64 { return uint64(v<<1) ^ uint64(v>>63) }

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func sharedPrefix(a, b string) (n int) {
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// columnReader reads what a columnWriter has written. It notes damage, and reads
// nothing from then on.
type columnReader struct {
	in      []byte
	damaged bool
}

func (r *columnReader) fail() { r.in, r.damaged = nil, true }

func (r *columnReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.in)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.in = r.in[n:]
	return v
}

// bytes reads n bytes.
func (r *columnReader) bytes(n uint64) []byte {
	if n > uint64(len(r.in)) {
		r.fail()
		return nil
	}
	out := r.in[:n]
	r.in = r.in[n:]
	return out
}

func (r *columnReader) column() []byte { return r.bytes(r.uvarint()) }

// numbers reads n numbers; none if there is damage.
func (r *columnReader) numbers(n int) []uint64 {
	width := r.bytes(1)
	if len(width) == 0 || width[0] > 8 {
		r.fail()
		return nil
	}
	planes := make([][]byte, width[0])
	for i := range planes {
		planes[i] = r.bytes(uint64(n))
	}
	if r.damaged {
		return nil
	}
	values := make([]uint64, n)
	for i, plane := range planes {
		for k, b := range plane {
			values[k] |= uint64(b) << (8 * i)
		}
	}
	return values
}

// texts reads n texts; none if there is damage.
func (r *columnReader) texts(n int) [][]byte {
	lengths := r.numbers(n)
	var total uint64
	for _, length := range lengths {
		if total += length; length > uint64(len(r.in)) || total > uint64(len(r.in)) {
			r.fail()
		}
	}
	if r.damaged {
		return nil
	}
	memory := make([]byte, total)
	texts := make([][]byte, n)
	left := make([][]byte, n)
	for i, length := range lengths {
		texts[i], memory = memory[:length], memory[length:]
		left[i] = texts[i]
	}
	for len(left) > 0 {
		longer := left[:0]
		for _, text := range left {
			if last := len(text) - 1; last >= 0 {
				text[last], r.in = r.in[0], r.in[1:]
				longer = append(longer, text[:last])
			}
		}
		left = longer
	}
	return texts
}

// size is the inverse of columnWriter.size. Each entry has a byte at least.
func (r *columnReader) size() (entries int, is bool) {
	n := r.uvarint()
	if n == noMap || r.damaged {
		return 0, false
	}
	if n-1 > uint64(len(r.in)) {
		r.fail()
		return 0, false
	}
	return int(n - 1), true
}

func (r *columnReader) tables() map[int64]Table {
	n, is := r.size()
	if !is {
		return nil
	}
	ids, destinations, flags, shared, seqs, partly := r.numbers(n), r.numbers(n), r.numbers(n), r.numbers(n), r.numbers(n), r.numbers(n)
	names := r.texts(n)
	if r.damaged {
		return nil
	}
	tables := make(map[int64]Table, n)
	var id int64
	var t Table
	length := 0 // of all names
	for i := range n {
		next := id + int64(ids[i])
		if i > 0 && next <= id || flags[i] > allFlags || shared[i] > uint64(len(t.Name)) {
			r.fail()
			return nil
		}
		id = next
		t.DestID += unzigzag(destinations[i])
		t.setFlags(byte(flags[i]))
		t.Name = t.Name[:shared[i]] + string(names[i])
		t.CommitSeq += unzigzag(seqs[i])
		t.Partly += unzigzag(partly[i])
		if length += len(t.Name); length > unpackLimit {
			r.fail()
			return nil
		}
		tables[id] = t
	}
	return tables
}

func (r *columnReader) seqs() map[int64]int64 {
	n, is := r.size()
	if !is {
		return nil
	}
	ids, values := r.numbers(n), r.numbers(n)
	if r.damaged {
		return nil
	}
	seqs := make(map[int64]int64, n)
	var id, value int64
	for i := range n {
		next := id + int64(ids[i])
		if i > 0 && next <= id {
			r.fail()
			return nil
		}
		id = next
		value += unzigzag(values[i])
		seqs[id] = value
	}
	return seqs
}
