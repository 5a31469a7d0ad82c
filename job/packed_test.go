package job

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// warehouse makes up tables as a warehouse has them: layers, subjects, years and
// parts; with suffix some of a hash, too. The ids come as Doris gives them out: a
// table takes a hundred, for its partitions, tablets and replicas, and a restore makes
// tables in an order of its own.
func warehouse(n int, suffix bool) map[int64]Table {
	r := rand.New(rand.NewPCG(1, 2))
	layers := []string{"ods", "dwd", "dws", "ads", "dim"}
	subjects := []string{"order_detail", "order_item", "user_behavior_log", "sku_stock_snapshot", "payment_flow", "coupon_use", "refund_apply", "logistics_trace"}
	tables := make(map[int64]Table, n)
	destinations := r.Perm(n)
	id := int64(10_000)
	for i := range n {
		id += 30 + r.Int64N(200)
		name := fmt.Sprintf("%s_%s_%d_%04d", layers[i/1000%len(layers)], subjects[i/5000%len(subjects)], 2019+i/500%8, i%1000)
		if suffix {
			name = fmt.Sprintf("%s_%08x", name, r.Uint32())
		}
		tables[id] = Table{DestID: 20_000 + int64(destinations[i])*90 + r.Int64N(40), Name: name, CommitSeq: 5_000_000 + r.Int64N(400)}
	}
	return tables
}

// What a table costs where the whole state travels; docs/sizing.md has it.
func TestPackedTablesAreSmall(t *testing.T) {
	const limit = 2<<20 - 64<<10 // workflows.DefaultPayloadLimit
	for _, suffix := range []bool{false, true} {
		for _, n := range []int{10_000, 200_000} {
			tables := warehouse(n, suffix)
			for _, settled := range []bool{false, true} {
				if settled {
					for id, table := range tables {
						table.CommitSeq = 0
						tables[id] = table
					}
				}
				data, err := (&bulk{tables: tables}).pack()
				require.NoError(t, err)
				bytes := len(data)
				t.Logf("%d tables, hash suffix %t, settled %t: %d KB, %.1f bytes a table", n, suffix, settled, bytes/1000, float64(bytes)/float64(n))
				if suffix {
					require.Less(t, bytes, limit)
				} else {
					require.Less(t, bytes, limit*3/5)
				}
			}
		}
	}
}

// The end of a full sync of 200,000 tables: those of before, and those in the snapshot
// with the names that they have meanwhile.
func TestAStateInAFullSyncFits(t *testing.T) {
	before := warehouse(200_000, false)
	restored, aliases := map[int64]Table{}, map[string]string{}
	for id, table := range before {
		restored[id] = Table{Name: table.Name, CommitSeq: table.CommitSeq + 1_000_000}
		aliases[table.Name] = AliasName(table.Name, 1_700_000_000)
	}
	p := Progress{Tables: before, Snapshot: &Snapshot{Restored: &Restored{Tables: restored}}}
	p.Snapshot.Aliases = aliases
	data, err := json.Marshal(Pack(p))
	require.NoError(t, err)
	t.Logf("with an alias of each: %d KB", len(data)*3/4000)
	require.Less(t, len(data)*3/4, 2<<20)
	var back Packed[Progress]
	require.NoError(t, json.Unmarshal(data, &back))
	opened, err := back.Open()
	require.NoError(t, err)
	require.True(t, reflect.DeepEqual(p, opened))
}

func oddTables() map[int64]Table {
	return map[int64]Table{
		math.MinInt64: {Name: "", DestID: math.MaxInt64, CommitSeq: math.MinInt64, Partly: math.MaxInt64},
		-1:            {Name: "orders", View: true},
		0:             {Name: "orders_2024", Gone: true, Unconfirmed: true, DestID: -5},
		7:             {Name: "bestellungen_übersee", External: true},
		math.MaxInt64: {Name: "\x00\xff", CommitSeq: math.MaxInt64},
	}
}

func TestPackedComesBack(t *testing.T) {
	many := warehouse(packAbove+1, true)
	maps.Copy(many, oddTables())
	p := Progress{
		Phase: PhaseFinishSnapshot, Position: Position{CommitSeq: 5}, Tables: many,
		Partitions: map[int64]int64{math.MinInt64: math.MaxInt64, 3: -4, 5: 6},
		Snapshot: &Snapshot{
			Name: "s", Aliases: map[string]string{"a": "b"},
			Restored: &Restored{CommitSeq: 9, Tables: oddTables(), Partitions: map[int64]int64{1: 2}},
		},
		Awaited: []PartialSync{{Table: "later", TableID: 3}},
	}
	want := p
	t.Run("WorkflowInput", func(t *testing.T) {
		in := comesBack(t, WorkflowInput{Spec: Spec{Name: "j"}, Progress: &p})
		require.Equal(t, WorkflowInput{Spec: Spec{Name: "j"}, Progress: &want}, in)
	})
	t.Run("StepInput", func(t *testing.T) {
		require.Equal(t, StepInput{Progress: want}, comesBack(t, StepInput{Progress: p}))
	})
	t.Run("SnapshotRestored", func(t *testing.T) {
		s := SnapshotRestored{SourceTable: "x", Aliases: map[string]string{"a": "b"}, Restored: &Restored{Tables: many, Partition: 7}}
		require.Equal(t, s, comesBack(t, s))
	})
	t.Run("SnapshotFinished", func(t *testing.T) {
		s := SnapshotFinished{Tables: many, Partitions: map[int64]int64{1: 2}, Foreign: []string{"z"}}
		require.Equal(t, s, comesBack(t, s))
	})
	t.Run("Mapping", func(t *testing.T) { require.Equal(t, p.Mapping(), comesBack(t, p.Mapping())) })
	require.Equal(t, want, p, "packing changes nothing of what is packed")
}

// comesBack packs and opens a value.
func comesBack[T packable](t *testing.T, value T) T {
	t.Helper()
	data, err := json.Marshal(Pack(value))
	require.NoError(t, err)
	require.Contains(t, string(data), `"packed":`)
	require.NotContains(t, string(data), "order_detail")
	var back Packed[T]
	require.NoError(t, json.Unmarshal(data, &back))
	opened, err := back.Open()
	require.NoError(t, err)
	return opened
}

func TestFewTablesStayReadable(t *testing.T) {
	p := Progress{Tables: map[int64]Table{1: {Name: "orders"}}}
	data, err := json.Marshal(Pack(p))
	require.NoError(t, err)
	require.Contains(t, string(data), `"n":"orders"`)
	var back Packed[Progress]
	require.NoError(t, json.Unmarshal(data, &back))
	opened, err := back.Open()
	require.NoError(t, err)
	require.Equal(t, p, opened)
}

// A worker that does not know a format must not take what it cannot read for empty.
func TestAnotherFormatIsRefused(t *testing.T) {
	data, err := (&bulk{tables: warehouse(packAbove+1, false)}).pack()
	require.NoError(t, err)
	open := func() error {
		travels, err := json.Marshal(packedJSON[Mapping]{Packed: data})
		require.NoError(t, err)
		var p Packed[Mapping]
		require.NoError(t, json.Unmarshal(travels, &p), "a workflow would fail")
		again, err := json.Marshal(p)
		require.NoError(t, err)
		require.JSONEq(t, string(travels), string(again), "what cannot be read is handed on as it came")
		_, err = p.Open()
		return err
	}
	data[0]++
	require.ErrorIs(t, open(), errPackedFormat)
	data[0]--
	data[len(data)/2] ^= 1
	require.ErrorIs(t, open(), errPackedDamage)
	data = data[:1]
	require.ErrorIs(t, open(), errPackedDamage)
}

// Each field of a table travels. A new one needs a column, and a part in the digest.
func TestEachFieldOfATableTravels(t *testing.T) {
	for i := range reflect.TypeFor[Table]().NumField() {
		var table Table
		field := reflect.TypeFor[Table]().Field(i)
		switch v := reflect.ValueOf(&table).Elem().Field(i); v.Kind() {
		case reflect.Int64:
			v.SetInt(4711)
		case reflect.String:
			v.SetString("orders")
		case reflect.Bool:
			v.SetBool(true)
		default:
			t.Fatalf("how does %s travel?", field.Name)
		}
		b := bulk{tables: map[int64]Table{5: table}}
		data, err := b.pack()
		require.NoError(t, err)
		back, err := unpackBulk(data)
		require.NoError(t, err)
		require.Equal(t, b.tables, back.tables, field.Name)
		with, without := DigestOf(Mapping{Tables: b.tables}), DigestOf(Mapping{Tables: map[int64]Table{5: {}}})
		require.NotEqual(t, without, with, field.Name)
	}
}

// FuzzUnpack: garbage is refused, without a panic and without more memory than the
// limit; what is accepted comes back.
func FuzzUnpack(f *testing.F) {
	b := bulk{tables: oddTables(), partitions: map[int64]int64{1: 2}, rest: bulkRest{Aliases: map[string]string{"a": "b"}}}
	good, err := b.pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, false)
	var w columnWriter
	w.tables(b.tables)
	w.tables(nil)
	w.seqs(b.partitions)
	w.seqs(nil)
	w.column([]byte("{}"))
	f.Add(w.out, true)
	f.Fuzz(func(t *testing.T, data []byte, plain bool) {
		var tables map[int64]Table
		if plain {
			r := columnReader{in: data}
			if tables = r.tables(); r.damaged {
				return
			}
		} else {
			b, err := unpackBulk(data)
			if err != nil {
				return
			}
			tables = b.tables
		}
		packed, err := (&bulk{tables: tables}).pack()
		require.NoError(t, err)
		back, err := unpackBulk(packed)
		require.NoError(t, err)
		require.True(t, maps.Equal(tables, back.tables))
	})
}
