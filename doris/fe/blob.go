package fe

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
)

// Blob is the meta or the job info of a snapshot. These are large in a database with
// many tablets, so a Blob stays as it came, compressed or plain, until somebody
// needs the other.
type Blob struct {
	data   []byte
	packed bool // data is a gzip file
}

// PlainBlob holds bytes as they are.
func PlainBlob(data []byte) Blob { return Blob{data: data} }

// PackedBlob holds what a gzip file contains.
func PackedBlob(file []byte) Blob { return Blob{data: file, packed: true} }

// Size is how many bytes the Blob takes as it is.
func (b Blob) Size() int { return len(b.data) }

// Reader reads the plain bytes.
func (b Blob) Reader() (io.Reader, error) {
	if !b.packed {
		return bytes.NewReader(b.data), nil
	}
	r, err := gzip.NewReader(bytes.NewReader(b.data))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return r, nil
}

// Plain returns the plain bytes.
func (b Blob) Plain() ([]byte, error) {
	if !b.packed {
		return b.data, nil
	}
	r, err := b.Reader()
	if err != nil {
		return nil, err
	}
	var plain bytes.Buffer
	plain.Grow(b.PlainSize() + bytes.MinRead)
	if _, err := plain.ReadFrom(r); err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return plain.Bytes(), nil
}

// Packed returns the bytes as a gzip file.
func (b Blob) Packed() ([]byte, error) {
	if b.packed {
		return b.data, nil
	}
	var file bytes.Buffer
	w := gzip.NewWriter(&file)
	if _, err := w.Write(b.data); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return file.Bytes(), nil
}

// PlainSize is about how many plain bytes there are: what a gzip file says at its end,
// within what such a file can contain.
func (b Blob) PlainSize() int {
	const sizeBytes, mostFor1 = 4, 1032 // deflate makes no more of a byte
	if !b.packed || len(b.data) < sizeBytes {
		return len(b.data)
	}
	said := binary.LittleEndian.Uint32(b.data[len(b.data)-sizeBytes:])
	return min(int(said), mostFor1*len(b.data))
}
