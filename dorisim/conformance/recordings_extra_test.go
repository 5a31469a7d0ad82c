package conformance

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
)

// recordedExtra is an entry of extra.json. The file has no statements: they are
// those of doris-sql.md 9.
type recordedExtra struct {
	Name string          `json:"name"`
	Real json.RawMessage `json:"real"`
}

// extraStatements are the entries that are SQL; before says what was run, and
// not recorded, ahead of one.
var (
	extraStatements = map[string]string{
		"drop no force with open txn": "DROP TABLE dx.a", "drop force": "DROP TABLE IF EXISTS dx.a FORCE",
		"backup with temp":           "BACKUP SNAPSHOT dx.x1 TO `__keep_on_local__` ON (b) PROPERTIES ('type' = 'full')",
		"backup with temp, db":       "BACKUP SNAPSHOT dx.x2 TO `__keep_on_local__` PROPERTIES ('type' = 'full')",
		"backup missing table":       "BACKUP SNAPSHOT dx.x3 TO `__keep_on_local__` ON (nope) PROPERTIES ('type' = 'full')",
		"backup missing partition":   "BACKUP SNAPSHOT dx.x4 TO `__keep_on_local__` ON (b PARTITION (px)) PROPERTIES ('type' = 'full')",
		"backup view":                "CREATE VIEW dx.vv AS SELECT k FROM dx.b",
		"backup view only":           "BACKUP SNAPSHOT dx.x5 TO `__keep_on_local__` ON (vv) PROPERTIES ('type' = 'full')",
		"truncate missing partition": "TRUNCATE TABLE dx.b PARTITIONS(px)", "drop missing partition": "ALTER TABLE dx.b DROP PARTITION px",
		"rename partition missing": "ALTER TABLE dx.b RENAME PARTITION px py", "overlap": `ALTER TABLE dx.b ADD PARTITION p7 VALUES [("5"),("15"))`,
		"add partition to unpartitioned": "CREATE TABLE dx.c (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 " + oneReplica,
		"x":                              `ALTER TABLE dx.c ADD PARTITION p7 VALUES [("5"),("15"))`,
		"rename col missing":             "ALTER TABLE dx.c RENAME COLUMN zz yy", "drop col missing": "ALTER TABLE dx.c DROP COLUMN zz",
		"drop rollup missing": "ALTER TABLE dx.c DROP ROLLUP rr", "drop index missing": "ALTER TABLE dx.c DROP INDEX ii",
		"drop view missing": "DROP VIEW dx.nov", "drop view is table": "DROP VIEW dx.c", "alter view missing": "ALTER VIEW dx.nov AS SELECT 1",
		"view missing column": "CREATE VIEW dx.v8 AS SELECT zz FROM dx.c", "view missing table": "CREATE VIEW dx.v9 AS SELECT zz FROM dx.nope",
		"create exists":      "CREATE TABLE dx.c (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 " + oneReplica,
		"create view exists": "CREATE VIEW dx.vv AS SELECT k FROM dx.b", "replace missing": "ALTER TABLE dx.c REPLACE WITH TABLE nope",
		"set unknown":               `ALTER TABLE dx.c SET ("foo"="bar")`,
		"set two":                   `ALTER TABLE dx.c SET ("disable_auto_compaction"="true","compaction_policy"="time_series")`,
		"build index unpartitioned": "BUILD INDEX i ON dx.c PARTITION(c)", "create db exists": "CREATE DATABASE dx",
		"comment": `ALTER TABLE dx.c MODIFY COMMENT "a\"b\\c"`, "show comment": "SHOW CREATE TABLE dx.c",
	}
	extraBefore = map[string][]string{
		"backup with temp": {
			"CREATE TABLE dx.b (k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k)(PARTITION p1 VALUES LESS THAN ('10')) DISTRIBUTED BY HASH(k) BUCKETS 1 " + oneReplica,
			`ALTER TABLE dx.b ADD TEMPORARY PARTITION tp VALUES LESS THAN ("10")`,
		},
		"backup missing table": {"ALTER TABLE dx.b DROP TEMPORARY PARTITION tp"},
	}
)

// extraReplay plays the corner cases of transactions and error texts.
type extraReplay struct {
	*side
	*alignment
	table, first, second int64 // of dx.a, and its tablets
	txn                  int64
}

func TestRecordingsExtra(t *testing.T) {
	_, s := recordedCluster(t)
	r := &extraReplay{side: s, alignment: newAlignment()}
	r.exec("CREATE DATABASE dx")
	r.exec(`ALTER DATABASE dx SET PROPERTIES ("binlog.enable" = "true")`)
	r.exec("CREATE TABLE dx.a (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 " + oneReplica)
	a := r.metaOf("a").DbMeta.Tables[0]
	tablets := a.Partitions[0].Indexes[0].Tablets
	r.table, r.first, r.second = a.GetID(), tablets[0].GetID(), tablets[1].GetID()
	score := newScore(t, "extra.json")
	for i, e := range readRecording[[]recordedExtra](t, "extra.json") {
		for _, statement := range extraBefore[e.Name] {
			r.exec("%s", statement)
		}
		recorded, err := decode(e.Real)
		require.NoError(t, err)
		score.add(fmt.Sprintf("%d %s", i, e.Name), r.differences("answer", "", recorded, r.answer(e.Name)))
	}
	score.finish()
}

func (r *extraReplay) answer(name string) any {
	r.t.Helper()
	if statement, ok := extraStatements[name]; ok {
		return r.answerOfSQL(statement)
	}
	own := r.backendID()
	switch name {
	case "begin", "begin on dropped later":
		result, err := r.fe.BeginTxn(ctx, &frontendservice.TBeginTxnRequest{User: new("root"), Passwd: new(""), Db: new("dx"),
			TableIds: []int64{r.table}, Label: new(map[bool]string{true: "dx11795988209", false: "dx21795988209"}[name == "begin"])})
		require.NoError(r.t, err)
		r.txn = result.GetTxnID()
		return wireFields(reflect.ValueOf(result))
	case "commit one of two":
		return r.commitOf(own, r.first)
	case "commit wrong backend":
		return r.commitOf(777, r.first, r.second)
	case "commit both, nothing written on the BE", "commit again", "commit to dropped":
		return r.commitOf(own, r.first, r.second)
	case "show txn":
		return r.answerOfSQL(fmt.Sprintf("SHOW TRANSACTION FROM dx WHERE id = %d", r.txn))
	case "rollback committed":
		result, err := r.fe.RollbackTxn(ctx, &frontendservice.TRollbackTxnRequest{User: new("root"), Passwd: new(""), Db: new("dx"), TxnID: &r.txn})
		require.NoError(r.t, err)
		return wireFields(reflect.ValueOf(result))
	case "meta with temp":
		return wireFields(reflect.ValueOf(r.metaOf("b")))
	}
	require.Fail(r.t, "the replay does not know the entry", name)
	return nil
}

func (r *extraReplay) metaOf(table string) *frontendservice.TGetMetaResult_ {
	r.t.Helper()
	result, err := r.fe.GetMeta(ctx, &frontendservice.TGetMetaRequest{User: new("root"), Passwd: new(""),
		Db: &frontendservice.TGetMetaDB{Name: new("dx"), Tables: []*frontendservice.TGetMetaTable{{Name: &table}}}})
	require.NoError(r.t, err)
	return result
}

func (r *extraReplay) commitOf(backend int64, tablets ...int64) any {
	r.t.Helper()
	request := &frontendservice.TCommitTxnRequest{User: new("root"), Passwd: new(""), Db: new("dx"), TxnID: &r.txn, ThriftRPCTimeoutMs: new(int64(400))}
	for _, tablet := range tablets {
		request.CommitInfos = append(request.CommitInfos, &thrifttypes.TTabletCommitInfo{TabletId: tablet, BackendId: backend})
	}
	result, err := r.fe.CommitTxn(ctx, request)
	require.NoError(r.t, err)
	return wireFields(reflect.ValueOf(result))
}
