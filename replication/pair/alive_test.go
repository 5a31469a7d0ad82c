package pair_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
)

// What a look at the source finds (doris-binlogs.md 1.5, doris-rpc.md 3.4). The
// table job follows id 10 and is for the name t.
func TestLookAtSource(t *testing.T) {
	called := func(name string) *job.Spec {
		spec := pairtest.TableSpec()
		spec.Source.Call(name)
		return spec
	}
	missing := fe.ErrDatabaseNotFound
	for name, c := range map[string]struct {
		spec   *job.Spec
		src    pairtest.Script
		tables map[int64]string
		what   string // "" = fine
		err    string
		other  int64
	}{
		"as it was":                       {spec: pairtest.TableSpec(), tables: map[int64]string{10: "t"}},
		"dropped":                         {spec: pairtest.TableSpec(), tables: map[int64]string{11: "u"}, what: "no table", err: "src.t does not exist any more"},
		"created again":                   {spec: pairtest.TableSpec(), tables: map[int64]string{11: "t"}, what: "table 11", other: 11},
		"swapped by renames":              {spec: called("t_old"), tables: map[int64]string{10: "t_old", 11: "t"}, what: "table 11", other: 11},
		"replaced, the binlog is to come": {spec: pairtest.TableSpec(), tables: map[int64]string{10: "x", 11: "t"}, what: "table 11", other: 11},
		"renamed only":                    {spec: called("t2"), tables: map[int64]string{10: "t2"}},
		"renamed, not told yet":           {spec: pairtest.TableSpec(), tables: map[int64]string{10: "t2"}},
		"renamed and dropped":             {spec: called("t2"), tables: map[int64]string{11: "t3"}, what: "no table", err: "src.t does not exist"},
		"switched off":                    {spec: pairtest.TableSpec(), tables: map[int64]string{10: "t"}, src: pairtest.Script{Off: map[string]bool{"t": true}}, what: "off", err: "source table src.t does not record binlogs"},
		"its database created again":      {spec: pairtest.TableSpec(), src: pairtest.Script{ID: 9}, what: "database 9", err: "its id was 1 and is 9"},
		"database as it was":              {spec: pairtest.DatabaseSpec()},
		"database switched off":           {spec: pairtest.DatabaseSpec(), src: pairtest.Script{Off: map[string]bool{"src": true}}, what: "off", err: "source database src does not record binlogs"},
		"database created again":          {spec: pairtest.DatabaseSpec(), src: pairtest.Script{ID: 9}, what: "database 9", err: "its id was 1 and is 9"},
		"database dropped":                {spec: pairtest.DatabaseSpec(), src: pairtest.Script{MetaErr: missing}, what: "no database", err: "does not exist any more"},
	} {
		t.Run(name, func(t *testing.T) {
			c.src.TableMeta = map[int64]*meta.Table{}
			for id, name := range c.tables {
				c.src.TableMeta[id] = &meta.Table{ID: id, Name: name}
			}
			f, err := pairtest.Scripted(c.spec, &c.src, nil).LookAtSource(context.Background())
			require.NoError(t, err)
			require.Equal(t, c.what, f.What)
			if c.err != "" {
				require.ErrorContains(t, f.Err, c.err)
				require.NotEmpty(t, problem.Remedy(f.Err))
			}
			if c.other != 0 {
				require.Equal(t, c.other, f.Other.ID)
			}
		})
	}
}

// What a look at the destination finds while nobody writes there.
func TestLookAtDestination(t *testing.T) {
	for name, c := range map[string]struct {
		dst pairtest.Script
		err string // "" = fine
	}{
		"as it was":     {dst: pairtest.Script{ID: 2}},
		"dropped":       {dst: pairtest.Script{MetaErr: fe.ErrDatabaseNotFound}, err: "destination database dst does not exist any more"},
		"created again": {dst: pairtest.Script{ID: 9}, err: "destination database dst is another one than the job has written to: its id was 2 and is 9"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, &c.dst).LookAtBoth(context.Background())
			require.NoError(t, err)
			require.Equal(t, c.err == "", f.Fine())
			if c.err != "" {
				require.ErrorContains(t, f.Err, c.err)
				require.Contains(t, problem.Remedy(f.Err), "force_fullsync")
			}
		})
	}
	f, err := pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{Off: map[string]bool{"src": true}}, &pairtest.Script{MetaErr: fe.ErrDatabaseNotFound}).LookAtBoth(context.Background())
	require.NoError(t, err)
	require.True(t, f.Off, "the source comes first")
}
