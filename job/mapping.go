package job

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"

	"github.com/cespare/xxhash/v2"
)

// Mapping is what of a job's state grows with its tables, and what nearly every step
// reads: Progress.Tables and Progress.Partitions.
type Mapping struct {
	Tables     map[int64]Table `json:"tables,omitempty"`
	Partitions map[int64]int64 `json:"partitions,omitempty"`
}

// Entries is how many entries it has.
func (m *Mapping) Entries() int { return len(m.Tables) + len(m.Partitions) }

// MappingDigest stands for the content of a mapping. Two mappings with the same
// digest are the same. It does not depend on the order of entries, and one entry
// more, less or other is made up for without looking at the rest.
type MappingDigest struct {
	entries   int
	high, low uint64
}

// DigestOf is the digest of a mapping.
func DigestOf(m Mapping) MappingDigest {
	var d MappingDigest
	var buffer [entryBuffer]byte
	//workflowcheck:ignore a sum: order does not matter
	for id, t := range m.Tables {
		d.add(appendTable(buffer[:0], id, t))
	}
	//workflowcheck:ignore a sum: order does not matter
	for id, seq := range m.Partitions {
		d.add(appendPartition(buffer[:0], id, seq))
	}
	return d
}

// entryBuffer holds nearly every entry with a name of the usual length.
const entryBuffer = 160

// The first byte of an entry tells what it is of, and which of two hashes is made.
const (
	tagTable     = 't'
	tagPartition = 'p'
	secondHash   = 0x80
)

func appendTable(b []byte, id int64, t Table) []byte {
	b = append(b, tagTable, t.flags())
	b = binary.LittleEndian.AppendUint64(b, uint64(id))
	b = binary.LittleEndian.AppendUint64(b, uint64(t.DestID))
	b = binary.LittleEndian.AppendUint64(b, uint64(t.CommitSeq))
	b = binary.LittleEndian.AppendUint64(b, uint64(t.Partly))
	return append(b, t.Name...)
}

func appendPartition(b []byte, id, seq int64) []byte {
	b = append(b, tagPartition)
	b = binary.LittleEndian.AppendUint64(b, uint64(id))
	return binary.LittleEndian.AppendUint64(b, uint64(seq))
}

func (d *MappingDigest) add(entry []byte) {
	high, low := hashes(entry)
	d.entries, d.high, d.low = d.entries+1, d.high+high, d.low+low
}

func (d *MappingDigest) remove(entry []byte) {
	high, low := hashes(entry)
	d.entries, d.high, d.low = d.entries-1, d.high-high, d.low-low
}

func hashes(entry []byte) (high, low uint64) {
	high = xxhash.Sum64(entry)
	entry[0] |= secondHash
	return high, xxhash.Sum64(entry)
}

// Entries is how many entries the mapping has.
func (d MappingDigest) Entries() int { return d.entries }

// String returns the digest as it travels: the number of entries and 128 bits.
func (d MappingDigest) String() string { return fmt.Sprintf("%d:%016x%016x", d.entries, d.high, d.low) }

// MarshalText implements encoding.TextMarshaler.
func (d MappingDigest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

var errNoDigest = errors.New("this is no digest of a job's tables")

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *MappingDigest) UnmarshalText(text []byte) error {
	var read MappingDigest
	if _, err := fmt.Sscanf(string(text), "%d:%16x%16x", &read.entries, &read.high, &read.low); err != nil || read.String() != string(text) {
		return fmt.Errorf("%w: %q", errNoDigest, text)
	}
	*d = read
	return nil
}

// KnownMapping is a mapping with its digest. It is shared by steps that run side by
// side, so nobody may change its maps.
type KnownMapping struct {
	mapping Mapping
	digest  MappingDigest
}

// KnowMapping makes a KnownMapping of a mapping that nobody changes any more.
func KnowMapping(m Mapping) KnownMapping { return KnownMapping{m, DigestOf(m)} }

// Digest is that of the mapping.
func (k KnownMapping) Digest() MappingDigest { return k.digest }

// Apply returns the mapping that changes make of k, as Progress.Apply does.
func (k KnownMapping) Apply(c TableChanges) KnownMapping {
	next := k
	next.mapping.Tables = maps.Clone(k.mapping.Tables)
	if next.mapping.Tables == nil {
		next.mapping.Tables = map[int64]Table{}
	}
	drop := func(id int64) {
		if t, known := next.mapping.Tables[id]; known {
			next.digest.remove(appendTable(nil, id, t))
			delete(next.mapping.Tables, id)
		}
	}
	for id, t := range c.Set {
		drop(id)
		next.mapping.Tables[id] = t
		next.digest.add(appendTable(nil, id, t))
	}
	for _, id := range c.Drop {
		drop(id)
	}
	return next
}

// Settled returns what Progress.SettleIncremental makes of k.
func (k KnownMapping) Settled() KnownMapping {
	tables := make(map[int64]Table, len(k.mapping.Tables))
	for id, t := range k.mapping.Tables {
		t.CommitSeq, t.Partly = 0, 0
		tables[id] = t
	}
	return KnowMapping(Mapping{Tables: tables})
}
