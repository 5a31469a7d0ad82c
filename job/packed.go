package job

import (
	"encoding/json"
	"fmt"
)

// packAbove is how many entries something has at most that travels as readable JSON
// where it may be packed.
const packAbove = 2000

// packable is what has maps that grow with the number of tables.
type packable interface {
	Progress | StepInput | WorkflowInput | SnapshotRestored | SnapshotFinished | Mapping
}

// bulky is a pointer to something packable.
type bulky interface {
	// takeBulk removes the bulk. It changes nothing that other values share.
	takeBulk() bulk
	// putBulk is its inverse.
	putBulk(b bulk)
}

// Packed is a value of which the bulk travels packed if it is large. Whoever reads it
// has to open it: what is inside is of no use while the bulk is missing, so that
// nobody takes it for empty.
type Packed[T packable] struct {
	value  T
	packed []byte // the bulk of value, as it came, if it cannot be read
	err    error  // why not
}

// packedJSON is how Packed and Lean travel.
type packedJSON[T any] struct {
	Digest *MappingDigest `json:"digest,omitempty"`
	Value  T              `json:"value"`
	Packed []byte         `json:"packed,omitempty"`
}

// Pack makes a value ready to travel. It shares the maps of the value, which must not
// change before it has been encoded.
func Pack[T packable](value T) Packed[T] { return Packed[T]{value: value} }

// Open returns the value. An error means that another version has packed it, or that
// it is damaged.
func (p Packed[T]) Open() (T, error) {
	if p.err != nil {
		var none T
		return none, fmt.Errorf("open %T: %w", none, p.err)
	}
	return p.value, nil
}

// MarshalJSON implements json.Marshaler.
func (p Packed[T]) MarshalJSON() ([]byte, error) {
	travels := packedJSON[T]{Value: p.value, Packed: p.packed}
	b := any(&travels.Value).(bulky).takeBulk()
	if p.packed == nil && b.entries() <= packAbove {
		travels.Value = p.value
		return json.Marshal(travels)
	}
	if p.packed == nil {
		var err error
		if travels.Packed, err = b.pack(); err != nil {
			return nil, err
		}
	}
	return json.Marshal(travels)
}

// UnmarshalJSON implements json.Unmarshaler. What cannot be unpacked is no error yet: a
// workflow whose input cannot be decoded would fail, and one that cannot go on waits.
func (p *Packed[T]) UnmarshalJSON(data []byte) error {
	var travels packedJSON[T]
	if err := json.Unmarshal(data, &travels); err != nil {
		return err
	}
	*p = Packed[T]{value: travels.Value}
	if travels.Packed == nil {
		return nil
	}
	b, err := unpackBulk(travels.Packed)
	if err != nil {
		p.packed, p.err = travels.Packed, err
		return nil
	}
	any(&p.value).(bulky).putBulk(b)
	return nil
}

func (p *Progress) takeBulk() bulk {
	b := bulk{tables: p.Tables, partitions: p.Partitions, rest: bulkRest{Awaited: p.Awaited}}
	p.Tables, p.Partitions, p.Awaited = nil, nil, nil
	if p.Snapshot == nil {
		return b
	}
	snapshot := *p.Snapshot
	b.rest.Aliases, snapshot.Aliases = snapshot.Aliases, nil
	if snapshot.Restored != nil {
		restored := *snapshot.Restored
		b.restored, b.restoredIn = restored.takeMaps()
		snapshot.Restored = &restored
	}
	p.Snapshot = &snapshot
	return b
}

func (p *Progress) putBulk(b bulk) {
	p.Tables, p.Partitions, p.Awaited = b.tables, b.partitions, b.rest.Awaited
	if p.Snapshot == nil {
		return
	}
	p.Snapshot.Aliases = b.rest.Aliases
	if p.Snapshot.Restored != nil {
		p.Snapshot.Restored.Tables, p.Snapshot.Restored.Partitions = b.restored, b.restoredIn
	}
}

func (r *Restored) takeMaps() (map[int64]Table, map[int64]int64) {
	tables, partitions := r.Tables, r.Partitions
	r.Tables, r.Partitions = nil, nil
	return tables, partitions
}

func (in *StepInput) takeBulk() bulk { return in.Progress.takeBulk() }
func (in *StepInput) putBulk(b bulk) { in.Progress.putBulk(b) }
func (m *Mapping) putBulk(b bulk)    { m.Tables, m.Partitions = b.tables, b.partitions }
func (m *Mapping) takeBulk() (b bulk) {
	b.tables, b.partitions, *m = m.Tables, m.Partitions, Mapping{}
	return b
}

func (in *WorkflowInput) takeBulk() bulk {
	if in.Progress == nil {
		return bulk{}
	}
	p := *in.Progress
	in.Progress = &p
	return p.takeBulk()
}

func (in *WorkflowInput) putBulk(b bulk) {
	if in.Progress != nil {
		in.Progress.putBulk(b)
	}
}

func (s *SnapshotRestored) takeBulk() bulk {
	b := bulk{rest: bulkRest{Aliases: s.Aliases}}
	s.Aliases = nil
	if s.Restored != nil {
		restored := *s.Restored
		b.restored, b.restoredIn = restored.takeMaps()
		s.Restored = &restored
	}
	return b
}

func (s *SnapshotRestored) putBulk(b bulk) {
	s.Aliases = b.rest.Aliases
	if s.Restored != nil {
		s.Restored.Tables, s.Restored.Partitions = b.restored, b.restoredIn
	}
}

func (s *SnapshotFinished) takeBulk() bulk {
	b := bulk{tables: s.Tables, partitions: s.Partitions}
	s.Tables, s.Partitions = nil, nil
	return b
}

func (s *SnapshotFinished) putBulk(b bulk) { s.Tables, s.Partitions = b.tables, b.partitions }
