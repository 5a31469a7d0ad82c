package be

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// errCorrupt is the cause of every failure to decode stored bytes.
var errCorrupt = errors.New("corrupt data")

// Tags of encoded values.
const (
	tagNull  = 0
	tagInt   = 1
	tagFloat = 2
	tagText  = 3
)

// appendValue encodes one cell: a tag, then a varint, eight bytes, or a
// length-prefixed text. Equal values have equal encodings, so that the encoding
// also serves as a map key.
func appendValue(b []byte, v types.Value) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		return append(b, tagNull), nil
	case int64:
		return binary.AppendVarint(append(b, tagInt), x), nil
	case float64:
		return binary.LittleEndian.AppendUint64(append(b, tagFloat), math.Float64bits(x)), nil
	case string:
		b = binary.AppendUvarint(append(b, tagText), uint64(len(x)))
		return append(b, x...), nil
	default:
		return nil, fmt.Errorf("value of type %T cannot be stored", v)
	}
}

// reader decodes what appendValue and the segment writer encoded. The first
// failure sticks; check err at the end.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() {
	if r.err == nil {
		r.err = errCorrupt
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) varint() int64 {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) value() types.Value {
	switch r.byte() {
	case tagNull:
		return nil
	case tagInt:
		return r.varint()
	case tagFloat:
		b := r.bytes(8)
		if b == nil {
			return nil
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	case tagText:
		return string(r.bytes(r.uvarint()))
	default:
		r.fail()
		return nil
	}
}
