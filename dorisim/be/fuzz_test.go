package be

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// The decoders read what another backend sent: they may refuse it, never panic.

func FuzzDecodeSegment(f *testing.F) {
	for _, entries := range [][]entry{nil, {{row: rowOf(1, "x")}, {row: rowOf(nil, 1.5), deleted: true}}} {
		file, err := encodeSegment(entries, 2)
		require.NoError(f, err)
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		entries, err := decodeSegment(file, 2)
		if err != nil {
			return
		}
		again, err := encodeSegment(entries, 2)
		require.NoError(t, err)
		decoded, err := decodeSegment(again, 2)
		require.NoError(t, err)
		require.Len(t, decoded, len(entries))
	})
}

func FuzzDecodePredicate(f *testing.F) {
	seed, err := encodePredicate(&DeletePredicate{Conditions: []Condition{{Column: "k", Op: "IN", Values: []types.Value{int64(1), "x", nil}}}})
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = decodePredicate(b) })
}

func FuzzReadSnapshot(f *testing.F) {
	s := schemaOf(types.UniqueKeys, intColumn("v", ""))
	tablet, err := newTablet(TabletSpec{TabletID: 5, Schema: s}, func() string { return "id" }, 10)
	require.NoError(f, err)
	rs, err := tablet.encode(1, 1, rows(rowOf(1, 1)))
	require.NoError(f, err)
	require.NoError(f, tablet.publish(2, rs))
	files, _, err := tablet.snapshot(2)
	require.NoError(f, err)
	f.Add(files["5.hdr"])
	current, err := newSchema(s)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, header []byte) {
		content, err := readSnapshot(map[string][]byte{"5.hdr": header, "id_0.dat": files["id_0.dat"]}, 5, current)
		if err != nil {
			return
		}
		restored, err := newTablet(TabletSpec{TabletID: 5, Schema: s}, func() string { return "id" }, 10)
		require.NoError(t, err)
		restored.replace(content)
		_, _ = restored.scan(restored.version())
		_, _, _ = restored.snapshot(restored.version())
	})
}

func TestSnapshotHeaders(t *testing.T) {
	s, err := newSchema(schemaOf(types.DupKeys))
	require.NoError(t, err)
	for _, h := range []header{
		{},
		{History: []json.RawMessage{s.encoded}},
		{History: []json.RawMessage{s.encoded}, Version: 1, Rowsets: []headerRowset{{End: 1, Meta: json.RawMessage(`{"schema":` + string(s.encoded) + `}`)}}},
		{History: []json.RawMessage{[]byte(`{"Keys":"UNIQUE"}`)}},
	} {
		encoded, err := json.Marshal(h)
		require.NoError(t, err)
		_, err = readSnapshot(map[string][]byte{"5.hdr": encoded}, 5, s)
		require.Error(t, err)
	}
}
