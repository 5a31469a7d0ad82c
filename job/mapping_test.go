package job

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The digest is that of the content, by whichever way it came about.
func TestDigestsAreMadeUp(t *testing.T) {
	k := KnowMapping(Mapping{Tables: oddTables(), Partitions: map[int64]int64{1: 2}})
	changes := TableChanges{Set: map[int64]Table{0: {Name: "other"}, 99: {Name: "new", DestID: 5}}, Drop: []int64{7, 12345}}
	p := Progress{Tables: oddTables(), Partitions: map[int64]int64{1: 2}}
	p.Apply(changes)
	next := k.Apply(changes)
	require.Equal(t, DigestOf(p.Mapping()), next.Digest())
	require.Equal(t, len(p.Tables)+1, next.Digest().Entries())
	require.Equal(t, p.Tables, next.mapping.Tables)
	require.Equal(t, oddTables(), k.mapping.Tables, "what steps share is not changed")

	p.State, p.Position.CommitSeq = DBTablesIncrementalSync, 10
	p.Partitions = map[int64]int64{1: 2}
	maps.DeleteFunc(p.Tables, func(_ int64, table Table) bool { return table.Gone || table.CommitSeq > 10 })
	k = KnowMapping(Mapping{Tables: maps.Clone(p.Tables), Partitions: maps.Clone(p.Partitions)})
	require.True(t, p.SettleIncremental())
	require.Equal(t, DigestOf(p.Mapping()), k.Settled().Digest())
}

func TestDigestsTellMappingsApart(t *testing.T) {
	seen := map[MappingDigest]Mapping{}
	for _, m := range []Mapping{
		{},
		{Tables: map[int64]Table{1: {}}},
		{Tables: map[int64]Table{2: {}}},
		{Tables: map[int64]Table{1: {}, 2: {}}},
		{Tables: map[int64]Table{1: {Name: "a"}, 2: {Name: "b"}}},
		{Tables: map[int64]Table{1: {Name: "b"}, 2: {Name: "a"}}},
		{Partitions: map[int64]int64{1: 0}},
		{Partitions: map[int64]int64{1: 2}},
		{Partitions: map[int64]int64{2: 1}},
	} {
		d := DigestOf(m)
		require.NotContains(t, seen, d)
		seen[d] = m
		var back MappingDigest
		text, err := json.Marshal(d)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, d, back)
	}
	require.Equal(t, DigestOf(Mapping{}), DigestOf(Mapping{Tables: map[int64]Table{}}))
	for _, bad := range []string{`""`, `"3"`, `"3:12"`, `"x:00000000000000000000000000000000"`, `"1:0000000000000000000000000000000000"`} {
		var d MappingDigest
		require.ErrorIs(t, json.Unmarshal([]byte(bad), &d), errNoDigest, bad)
	}
}

// The input of a step without its tables makes no input: only with those that it was
// ordered with.
func TestALeanInputNeedsItsTables(t *testing.T) {
	tables := warehouse(packAbove+1, false)
	in := ApplyInput{OutcomeUnknown: true, StepInput: StepInput{Spec: Spec{Name: "j"}, Progress: Progress{
		Tables: tables, Partitions: map[int64]int64{1: 2}, Position: Position{CommitSeq: 5},
		Awaited:  []PartialSync{{Table: "later"}},
		Snapshot: &Snapshot{Restored: &Restored{Tables: tables}},
	}}}
	data, err := json.Marshal(MakeLean(in))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(data), LeanPrefix))
	require.Len(t, in.Progress.Tables, len(tables))
	require.Len(t, in.Progress.Snapshot.Restored.Tables, len(tables))
	require.Less(t, len(data), 20*len(tables), "the snapshot's are packed")
	var lean Lean[ApplyInput]
	require.NoError(t, json.Unmarshal(data, &lean))
	require.Empty(t, lean.Without().Progress.Tables)
	require.Equal(t, int64(5), lean.Without().Progress.Position.CommitSeq)

	for _, wrong := range []Mapping{{}, {Tables: map[int64]Table{}}, {Tables: tables}} {
		none, err := lean.With(KnowMapping(wrong))
		require.ErrorContains(t, err, "the step was ordered with other tables")
		require.Zero(t, none)
	}
	whole, err := lean.With(KnowMapping(Mapping{Tables: tables, Partitions: map[int64]int64{1: 2}}))
	require.NoError(t, err)
	in.Progress.Awaited = nil
	require.Equal(t, in, whole)

	require.ErrorIs(t, json.Unmarshal([]byte(`{"value": {}}`), &lean), errNoDigest)
	require.Error(t, json.Unmarshal([]byte(`{"digest":"0:00000000000000000000000000000000","value":{},"packed":"AAA="}`), &lean))
}

func TestNamesOfSteps(t *testing.T) {
	require.Equal(t, ActivityStream, StepName(LeanName(ActivityStream)))
	require.Equal(t, ActivityStream, StepName(ActivityStream))
}

func BenchmarkDigestOf200000(b *testing.B) {
	m := Mapping{Tables: warehouse(200_000, true)}
	for b.Loop() {
		DigestOf(m)
	}
}

func BenchmarkPack200000(b *testing.B) {
	m := bulk{tables: warehouse(200_000, true)}
	for b.Loop() {
		if _, err := m.pack(); err != nil {
			b.Fatal(err)
		}
	}
}
