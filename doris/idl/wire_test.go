package idl_test

import (
	"encoding/binary"
)

// A tiny writer of the strict Thrift binary protocol, independent of the Thrift
// library, so that the tests compare two different sources of bytes.

// value is an encoded value and its type byte.
type value struct {
	kind byte
	data []byte
}

func boolean(b bool) value {
	if b {
		return value{2, []byte{1}}
	}
	return value{2, []byte{0}}
}

func i32(n int32) value { return value{8, binary.BigEndian.AppendUint32(nil, uint32(n))} }
func i64(n int64) value { return value{10, binary.BigEndian.AppendUint64(nil, uint64(n))} }

func str(s string) value {
	return value{11, append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)}
}

// field is one field of a struct.
type field struct {
	id    int16
	value value
}

func f(id int16, v value) field { return field{id, v} }

func object(fields ...field) value {
	var data []byte
	for _, f := range fields {
		data = append(data, f.value.kind)
		data = binary.BigEndian.AppendUint16(data, uint16(f.id))
		data = append(data, f.value.data...)
	}
	return value{12, append(data, 0)}
}

// list encodes a list; an empty one needs the type of its elements.
func list(kind byte, elements ...value) value {
	data := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(elements)))
	for _, e := range elements {
		data = append(data, e.data...)
	}
	return value{15, data}
}

// dict encodes a map from alternating keys and values of the given kinds.
func dict(key, val byte, pairs ...value) value {
	data := binary.BigEndian.AppendUint32([]byte{key, val}, uint32(len(pairs)/2))
	for _, p := range pairs {
		data = append(data, p.data...)
	}
	return value{13, data}
}

// The kinds that lists and maps name.
const (
	kindI64    = 10
	kindString = 11
	kindStruct = 12
)

// Message kinds.
const (
	messageCall  = 1
	messageReply = 2
)

// message encodes a whole message with a strict header.
func message(kind uint32, method string, seq int32, body value) []byte {
	data := binary.BigEndian.AppendUint32(nil, 0x80010000|kind)
	data = append(data, str(method).data...)
	data = append(data, i32(seq).data...)
	return append(data, body.data...)
}
