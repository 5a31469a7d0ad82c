package backup

import (
	"bytes"
	"compress/gzip"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// metaMagic begins the meta bytes of this simulator; a real FE's meta is
// something else.
const metaMagic = "dorisim-meta 1\n"

// snapshotMeta is the catalog part of a snapshot.
type snapshotMeta struct {
	Database string
	Tables   []*catalog.Table // tables and views
	// Empty are the columns whose default is the empty string: gob has no
	// pointers to zero values.
	Empty []columnAt
}

// columnAt is the position of a column in a snapshotMeta.
type columnAt struct {
	Table  int
	Index  int64
	Column int
}

// encodeMeta also serves as the deep copy: call it under the metadata lock.
func encodeMeta(m snapshotMeta) ([]byte, error) {
	m.Empty = nil
	for i, t := range m.Tables {
		for id, index := range t.Indexes {
			for j, c := range index.Schema.Columns {
				if c.Default != nil && *c.Default == "" {
					m.Empty = append(m.Empty, columnAt{i, id, j})
				}
			}
		}
	}
	var out bytes.Buffer
	out.WriteString(metaMagic)
	if err := gob.NewEncoder(&out).Encode(m); err != nil {
		return nil, fmt.Errorf("encode backup meta: %w", err)
	}
	return out.Bytes(), nil
}

func decodeMeta(data []byte) (snapshotMeta, error) {
	var m snapshotMeta
	rest, ok := bytes.CutPrefix(data, []byte(metaMagic))
	if !ok {
		return m, errors.New("not a meta file of this kind of cluster")
	}
	if err := gob.NewDecoder(bytes.NewReader(rest)).Decode(&m); err != nil {
		return m, fmt.Errorf("decode backup meta: %w", err)
	}
	for _, at := range m.Empty {
		if at.Table < 0 || at.Table >= len(m.Tables) || m.Tables[at.Table] == nil {
			return m, errors.New("decode backup meta: a default of no table")
		}
		index := m.Tables[at.Table].Indexes[at.Index]
		if index == nil || at.Column < 0 || at.Column >= len(index.Schema.Columns) {
			return m, errors.New("decode backup meta: a default of no column")
		}
		index.Schema.Columns[at.Column].Default = new("")
	}
	return m, nil
}

// restricted copies t as far as a backup holds it: the selected partitions
// (nil: all), no temporary ones, no shadow indexes, no colocation.
func restricted(t *catalog.Table, partitions []string) *catalog.Table {
	c := *t
	c.Temporary, c.InAtomicRestore, c.State = nil, false, catalog.StateNormal
	c.Properties = maps.Clone(t.Properties)
	delete(c.Properties, "colocate_with")
	c.Indexes = map[int64]*catalog.Index{}
	for id, idx := range t.Indexes {
		if idx.State != catalog.IndexShadow {
			c.Indexes[id] = idx
		}
	}
	c.Partitions = map[string]*catalog.Partition{}
	for name, p := range t.Partitions {
		if len(partitions) > 0 && !slices.Contains(partitions, name) {
			continue
		}
		part := *p
		part.State = catalog.StateNormal
		part.Tablets = map[int64][]*catalog.Tablet{}
		for id := range c.Indexes {
			part.Tablets[id] = p.Tablets[id]
		}
		c.Partitions[name] = &part
	}
	return &c
}

var gzipMagic = []byte{0x1f, 0x8b}

func isGzip(data []byte) bool { return bytes.HasPrefix(data, gzipMagic) }

// Gzip compresses a snapshot blob for the wire.
func Gzip(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}

// maxBlob bounds what a compressed blob may expand to.
const maxBlob = 1 << 30

func gunzip(data []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxBlob+1))
	if err == nil && len(out) > maxBlob {
		return nil, fmt.Errorf("more than %d bytes", maxBlob)
	}
	return out, err
}
