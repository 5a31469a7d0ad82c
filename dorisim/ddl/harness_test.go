package ddl

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// tablets is a backend that only remembers what it was told.
type tablets struct {
	be.Tasks
	mu     sync.Mutex
	specs  map[int64]be.TabletSpec
	synced map[int64]types.Schema
}

func (b *tablets) CreateTablet(s be.TabletSpec) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.specs[s.TabletID] = s
	return nil
}

func (b *tablets) DropTablet(id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.specs, id)
}

func (b *tablets) UpdateSchema(id int64, s types.Schema) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.synced[id] = s
	return nil
}

func (b *tablets) SetBinlog(id int64, on bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.specs[id]
	s.BinlogEnabled = on
	b.specs[id] = s
	return nil
}

type fixture struct {
	*Executor
	t       testing.TB
	backend *tablets
}

// newFixture is a cluster of two backends with the databases s (binlog on) and
// d (binlog off).
func newFixture(t testing.TB) *fixture {
	c := core.New(core.Config{Name: "test", GCPeriod: -1})
	t.Cleanup(c.Close)
	f := &fixture{Executor: New(c, nil), t: t, backend: &tablets{specs: map[int64]be.TabletSpec{}, synced: map[int64]types.Schema{}}}
	for id := range int64(2) {
		c.AddBackend(core.BackendInfo{ID: id + 1, Host: "127.0.0.1", Alive: true}, f.backend)
	}
	f.run(`CREATE DATABASE s PROPERTIES ("binlog.enable" = "true")`)
	f.run(`CREATE DATABASE d`)
	return f
}

func (f *fixture) try(text string) error {
	f.t.Helper()
	statement, err := parser.Parse(text)
	if err != nil {
		return err
	}
	return f.Exec(f.t.Context(), "s", statement)
}

func (f *fixture) run(text string) {
	f.t.Helper()
	require.NoError(f.t, f.try(text), text)
}

func (f *fixture) db(name string) *catalog.Database {
	f.t.Helper()
	f.core.RLock()
	defer f.core.RUnlock()
	db, ok := f.core.Database(name)
	require.True(f.t, ok, name)
	return db
}

func (f *fixture) tableIn(db, name string) *catalog.Table {
	f.t.Helper()
	t, ok := f.db(db).Tables[name]
	require.True(f.t, ok, name)
	return t
}

func (f *fixture) tab(name string) *catalog.Table { f.t.Helper(); return f.tableIn("s", name) }

func (f *fixture) show(db, name string) string {
	f.t.Helper()
	return f.ShowCreateTable(f.db(db), f.tableIn(db, name), false)
}

// fill makes a partition look as if it had been written to.
func fill(p *catalog.Partition) { p.VisibleVersion, p.NextVersion = 2, 3 }

// last returns the newest binlog of the database and its payload.
func (f *fixture) last(db string) (*core.Binlog, map[string]any) {
	f.t.Helper()
	all, _ := f.core.ReadBinlogs(f.db(db).ID, -1, -1, 1000)
	require.NotEmpty(f.t, all)
	b := all[len(all)-1]
	var payload map[string]any
	require.NoError(f.t, json.Unmarshal([]byte(b.Data), &payload), b.Data)
	return b, payload
}

// wantBinlog compares the newest binlog of s with the expected JSON.
func (f *fixture) wantBinlog(kind binlog.Type, want string, ids ...int64) {
	f.t.Helper()
	b, _ := f.last("s")
	require.Equal(f.t, kind, b.Type, b.Data)
	replacements := []string{"$DB", id(f.db("s").ID), "$SEQ", id(b.CommitSeq)}
	for i, n := range ids {
		replacements = append(replacements, "$"+strconv.Itoa(i+1), id(n))
	}
	require.JSONEq(f.t, strings.NewReplacer(replacements...).Replace(want), b.Data)
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

// execWithout runs a statement without a current database.
func (f *fixture) execWithout(text string) error {
	statement, err := parser.Parse(text)
	require.NoError(f.t, err)
	return f.Exec(f.t.Context(), "", statement)
}

func (b *tablets) SetInvertedIndexes(int64, []int64) error                 { return nil }
func (b *tablets) Rebase(int64, int64, be.RowsetData) error                { return nil }
func (b *tablets) Scan(context.Context, int64, int64) ([]types.Row, error) { return nil, nil }
