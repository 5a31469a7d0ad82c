package preflight

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// taken is a destination with tables of somebody else's.
type taken struct {
	pairtest.Script
	texts map[string]string // by table
	rows  map[string]error  // by table: nil = it has rows
}

func (t *taken) CreateTableText(_ context.Context, _, table string) (string, error) {
	return t.texts[table], nil
}

func (t *taken) Query(_ context.Context, statement string) ([]sqlclient.Row, error) {
	for table, err := range t.rows {
		if strings.Contains(statement, sqlclient.Name("dst", table)) {
			return []sqlclient.Row{{}}, err
		}
	}
	return nil, nil
}

func TestForeignTables(t *testing.T) {
	table := func(id int64, name string, version int64) *meta.Table {
		return &meta.Table{ID: id, Name: name, Partitions: []*meta.Partition{{ID: id, Name: name, VisibleVersion: version}}}
	}
	dst := &taken{
		Script: pairtest.Script{
			Names: []string{"mine", "synced", "empty", "emptied", "foreign", "secret", "other", "view"},
			TableMeta: map[int64]*meta.Table{
				1: table(1, "mine", 5), 2: table(2, "synced", 5), 3: table(3, "empty", 1), 4: table(4, "emptied", 5),
				5: table(5, "foreign", 2), 6: table(6, "secret", 2), 7: table(7, "other", 2),
			},
		},
		texts: map[string]string{"synced": `PROPERTIES ("is_being_synced" = "true")`, "foreign": `PROPERTIES ("is_being_synced" = "false")`},
		rows:  map[string]error{"mine": nil, "synced": nil, "foreign": nil, "secret": &sqlclient.Error{Code: 1142, Message: "SELECT command denied"}, "other": nil},
	}
	spec := pairtest.DatabaseSpec()
	spec.Destination.Database = "dst"
	j := New(pairtest.Scripted(spec, &pairtest.Script{}, nil))
	j.Destination.FE, j.Destination.SQL = dst, dst
	got, err := j.ForeignTables(context.Background(), []string{"mine", "synced", "empty", "emptied", "foreign", "secret", "view", "absent"}, map[int64]job.Table{100: {DestID: 1}})
	require.NoError(t, err)
	require.Equal(t, []string{"foreign", "secret"}, got, "other is not asked for; what cannot be read is not taken for empty")
}
