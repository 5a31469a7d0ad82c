package ddl

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// An external table is a definition that getMeta does not list: it is followed
// by its name (doris-binlogs.md 6.8, row 81).
func TestExternalTables(t *testing.T) {
	const text = "CREATE EXTERNAL TABLE `o` (\n  `id` int NULL\n) ENGINE=ODBC\nPROPERTIES (\n\"odbc_catalog_resource\" = \"r\"\n)"
	create := applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "o", TableType: "ODBC", SQL: text}, 11)
	got := create.run(t)
	require.True(t, got.Done)
	require.Equal(t, map[int64]job.Table{11: {Name: "o", External: true}}, got.Tables.Set)
	require.Contains(t, create.dst.Executed[0], "CREATE EXTERNAL TABLE IF NOT EXISTS `dst`.`o`")

	create.dst.refuse = map[string]error{"CREATE EXTERNAL": pairtest.SQLRefusal("Can not find resource `r`")}
	got = create.run(t)
	require.True(t, got.Done, "the job goes on without it")
	require.Empty(t, got.Tables.Set)

	rename := applying(binlog.TypeRenameTable, `{"tb":11,"nT":"p"}`, 11)
	rename.in.Progress.Tables[11] = job.Table{Name: "o", External: true}
	rename.dst.Names = append(rename.dst.Names, "o")
	got = rename.run(t)
	require.Equal(t, []string{"ALTER TABLE `dst`.`o` RENAME `p`"}, rename.dst.Executed)
	require.Equal(t, map[int64]job.Table{11: {Name: "p", External: true}}, got.Tables.Set)

	drop := applying(binlog.TypeDropTable, binlog.DropTable{TableID: 11, TableName: "p"}, 11)
	drop.in.Progress.Tables[11] = job.Table{Name: "p", External: true}
	got = drop.run(t)
	require.Equal(t, []string{"DROP p"}, drop.dst.Executed)
	require.Equal(t, []int64{11}, got.Tables.Drop)
}
