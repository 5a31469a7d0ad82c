package conformance

import (
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim"
)

// debugPoint posts to a frontend's HTTP port and returns code, msg and data.
func debugPoint(t *testing.T, s *side, frontend int, path, name, secret string) (float64, string, any) {
	t.Helper()
	fe := s.query("SHOW FRONTENDS")[frontend]
	request, err := http.NewRequest(http.MethodPost, "http://"+net.JoinHostPort(fe["Host"], fe["HttpPort"])+"/api/debug_point/"+path, nil)
	require.NoError(t, err)
	request.SetBasicAuth(name, secret)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	var body map[string]any
	require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
	return body["code"].(float64), body["msg"].(string), body["data"]
}

// Debug points over the FE's HTTP port hold backups and restores (doris-sql.md 4.11,
// 5.8).
func TestDebugPoints(t *testing.T) {
	_, s := private(t, func(c *dorisim.Config) { c.FEs = 2 })
	db, to := s.database(), s.database()
	s.table(db, "t", 1)
	s.exec("INSERT INTO `%s`.t VALUES (1, 1)", db)
	ok := func(path string) {
		t.Helper()
		for i := range 2 {
			code, msg, _ := debugPoint(t, s, i, path, user, password)
			require.Zero(t, code, path)
			require.Equal(t, "success", msg)
		}
	}
	code, msg, data := debugPoint(t, s, 0, "clear", user, password)
	require.EqualValues(t, 500, code)
	require.Equal(t, "Internal Error", msg)
	require.Equal(t, "Disable debug points. please check Config.enable_debug_points", data)
	s.exec(`ADMIN SET FRONTEND CONFIG ("enable_debug_points" = "true")`)
	s.exec("CREATE USER u1 IDENTIFIED BY 'pw'")
	for name, secret := range map[string]string{user: "wrong", "u1": "pw"} {
		code, msg, _ = debugPoint(t, s, 0, "add/FE.X", name, secret)
		require.EqualValues(t, 401, code, name)
		require.Equal(t, "Unauthorized", msg)
	}
	code, _, data = debugPoint(t, s, 0, "add/FE.X?execute=many", user, password)
	require.EqualValues(t, 403, code)
	require.Contains(t, data, "Invalid execute format: many")

	label := "held_" + db
	ok("add/FE.PAUSE_PENDING_BACKUP_JOB?value=held_")
	s.exec("BACKUP SNAPSHOT `%s`.`%s` TO `__keep_on_local__`", db, label)
	pending := func() bool {
		return values(s.query("SHOW BACKUP FROM `%s` WHERE SnapshotName = '%s'", db, label), "State") == "PENDING"
	}
	require.True(t, pending())
	other := s.database()
	s.table(other, "t", 1)
	s.backup(other) // is not held, and takes longer than it takes a held one to go on
	require.True(t, pending())
	ok("remove/FE.PAUSE_PENDING_BACKUP_JOB")
	s.waitState("FINISHED", "SHOW BACKUP FROM `%s` WHERE SnapshotName = '%s'", db, label)

	ok("add/FE.PAUSE_NON_PENDING_RESTORE_JOB?timeout=3600&execute=" + strconv.Itoa(1<<30) + "&value=" + label + "_r")
	snapshot := s.getSnapshot(db, label, false)
	info := decodeJobInfo(t, snapshot.GetJobInfo())
	info["extra_info"] = s.extraInfo()
	requireOK(t, s.restore(restoreRequest(t, to, label+"_r", snapshot.GetMeta(), info)))
	s.waitState("SNAPSHOTING", "SHOW RESTORE FROM `%s` WHERE Label = '%s_r'", to, label)
	s.backup(other)
	s.waitState("SNAPSHOTING", "SHOW RESTORE FROM `%s` WHERE Label = '%s_r'", to, label)
	ok("clear")
	s.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = '%s_r'", to, label)

	ok("add/FE.PAUSE_PENDING_BACKUP_JOB?value=held_&execute=2")
	s.exec("BACKUP SNAPSHOT `%s`.`%s2` TO `__keep_on_local__`", db, label)
	s.waitState("FINISHED", "SHOW BACKUP FROM `%s` WHERE SnapshotName = '%s2'", db, label)
}

// PROC .../indexes has the ids of secondary indexes (doris-sql.md 2.3).
func TestProcIndexes(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.i (k INT, txt STRING, v INT, INDEX ix_txt (txt) USING INVERTED PROPERTIES(\"parser\" = \"english\") COMMENT 'inv') DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	s.exec("CREATE VIEW `%s`.w AS SELECT k FROM `%s`.i", db, db)
	id := func(path, key, name, want string) string {
		for _, r := range s.query("SHOW PROC '%s'", path) {
			if r[key] == name {
				return r[want]
			}
		}
		require.Fail(t, "not listed", name)
		return ""
	}
	path := "/dbs/" + id("/dbs", "DbName", db, "DbId")
	table, view := path+"/"+id(path, "TableName", "i", "TableId"), path+"/"+id(path, "TableName", "w", "TableId")
	require.Equal(t, []string{"Table", "IndexId", "NonUnique", "KeyName", "SeqInIndex", "ColumnName", "Collation", "Cardinality", "SubPart", "Packed", "Null",
		"IndexType", "Comment", "Properties"}, s.columns(`SHOW PROC "`+table+`/indexes"`))
	row := s.query(`SHOW PROC "%s/indexes"`, table)[0]
	require.Equal(t, "i", row["Table"], "not qualified, unlike in SHOW INDEX")
	require.NotEqual(t, "0", row["IndexId"])
	require.Equal(t, []string{"ix_txt", "txt", "INVERTED", "inv"}, []string{row["KeyName"], row["ColumnName"], row["IndexType"], row["Comment"]})
	require.Contains(t, row["Properties"], `"parser" = "english"`)
	require.Empty(t, s.query(`SHOW PROC "%s/indexes"`, view))
	require.Equal(t, "DUP_KEYS(k)", s.query(`SHOW PROC "%s/index_schema"`, table)[0]["Keys"])
	require.Equal(t, "w", s.query(`SHOW PROC "%s/index_schema"`, view)[0]["IndexName"])
}
