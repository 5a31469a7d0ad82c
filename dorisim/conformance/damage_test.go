package conformance

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim"
)

// TestDamage: rows can be lost, doubled or changed behind everybody's back, on
// one replica or on all; versions and binlogs tell nothing of it.
func TestDamage(t *testing.T) {
	cluster, s := private(t, func(c *dorisim.Config) { c.Admin = true })
	db := s.database()
	for name, model := range map[string]string{"dup": "DUPLICATE", "uni": "UNIQUE"} {
		s.exec("CREATE TABLE `%s`.`%s` (`k` INT NOT NULL, `v` INT NULL) %s KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 "+
			"PROPERTIES (\"replication_num\" = \"3\", \"binlog.enable\" = \"true\")", db, name, model)
	}
	rows := func(table string) string {
		return values(s.query("SELECT concat(`k`, '=', `v`) AS `row` FROM `%s`.`%s` ORDER BY `k`, `v`", db, table), "row")
	}
	for _, c := range []struct{ table, kind, want string }{
		{"dup", "drop", "2=20,3=30"}, {"dup", "double", "1=10,1=10,2=20,3=30"}, {"dup", "change", "1=11,2=20,3=30"},
		{"uni", "drop", "2=20,3=30"}, {"uni", "double", "1=10,1=10,2=20,3=30"}, {"uni", "change", "1=11,2=20,3=30"},
	} {
		s.exec("TRUNCATE TABLE `%s`.`%s`", db, c.table)
		s.exec("INSERT INTO `%s`.`%s` VALUES (1, 10), (2, 20), (3, 30)", db, c.table)
		require.Equal(t, "1=10,2=20,3=30", rows(c.table))
		last, meta := s.lastSeq(db), s.tableMeta(db, c.table)
		var done dorisim.Damaged
		require.NoError(t, json.Unmarshal([]byte(post(t, cluster, "/damage", `{"database": "`+db+`", "table": "`+c.table+`", "kind": "`+c.kind+`"}`)), &done))
		require.Len(t, done.Backends, 3)
		require.Equal(t, 1, done.Rows)
		require.Equal(t, c.want, rows(c.table), c.kind)
		require.Equal(t, last, s.lastSeq(db))
		require.Equal(t, meta, s.tableMeta(db, c.table))
		s.exec("INSERT INTO `%s`.`%s` VALUES (4, 40)", db, c.table)
		require.Equal(t, c.want+",4=40", rows(c.table), "later loads heal nothing")
	}
	// One replica: whoever reads another one sees nothing.
	s.exec("TRUNCATE TABLE `%s`.`dup`", db)
	s.exec("INSERT INTO `%s`.`dup` VALUES (1, 10)", db)
	_, replicas := s.replicasOf(db, "dup")
	last := replicas[2].GetBackendID()
	post(t, cluster, "/damage", `{"database": "`+db+`", "table": "dup", "kind": "drop", "backend": `+itoa(last)+`}`)
	s.session().exec("SET use_fix_replica = 0")
	require.Equal(t, "1=10", rows("dup"))
	s.exec("SET use_fix_replica = -1")
	for i := range cluster.BEs() {
		if cluster.BE(i).ID() != last {
			require.NoError(t, cluster.KillBE(i))
		}
	}
	require.Empty(t, rows("dup"))

	for body, want := range map[string]string{
		`{"database": "` + db + `", "table": "dup", "kind": "burn"}`: "no tablet of that description has rows",
		`{"database": "` + db + `", "table": "uni", "kind": "burn"}`: "unknown damage",
		`{"database": "` + db + `", "table": "no", "kind": "drop"}`:  "unknown table",
		`{"data": "x"}`: "unknown field",
	} {
		response, err := http.Post("http://"+cluster.AdminAddr()+"/damage", "application/json", strings.NewReader(body))
		require.NoError(t, err)
		var refusal struct {
			Error string `json:"error"`
		}
		require.NoError(t, json.NewDecoder(response.Body).Decode(&refusal))
		require.NoError(t, response.Body.Close())
		require.Contains(t, refusal.Error, want)
	}
}
