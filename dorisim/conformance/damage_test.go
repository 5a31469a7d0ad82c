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
		require.Equal(t, 1, done.Rows)
		require.Len(t, done.Tablets, 1)
		require.Len(t, done.Tablets[0].Backends, 3)
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

	s.table(db, "dup2", 1)
	s.exec("INSERT INTO `%s`.`dup2` VALUES (1, 10)", db)
	for body, want := range map[string]string{
		`{"database": "` + db + `", "table": "dup", "kind": "drop"}`:                                "no tablet of that description has such rows",
		`{"database": "` + db + `", "table": "uni", "kind": "burn"}`:                                "unknown damage",
		`{"database": "` + db + `", "table": "no", "kind": "drop"}`:                                 "unknown table",
		`{"database": "` + db + `", "table": "uni", "kind": "drop", "index": "no"}`:                 "unknown index",
		`{"database": "` + db + `", "table": "uni", "kind": "change", "column": "k"}`:               "column k is a key",
		`{"database": "` + db + `", "table": "uni", "kind": "change", "column": "no"}`:              "it has no column no",
		`{"database": "` + db + `", "table": "uni", "kind": "change", "column": "v", "value": "x"}`: "not a value of this type",
		`{"database": "` + db + `", "table": "dup2", "kind": "delete"}`:                             "only rows of UNIQUE tables have a delete sign",
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

// TestChosenDamage: which rows of which partition, index and column, and what
// they become.
func TestChosenDamage(t *testing.T) {
	cluster, s := private(t)
	s.session()
	db := s.database()
	s.exec("CREATE TABLE `%s`.`u` (`k` INT, `s` VARCHAR(10), `d` DATE) UNIQUE KEY(`k`) PARTITION BY RANGE(`k`) "+
		"(PARTITION `p1` VALUES LESS THAN ('10'), PARTITION `p2` VALUES LESS THAN ('20')) DISTRIBUTED BY HASH(`k`) BUCKETS 3 "+
		"PROPERTIES ('replication_num' = '1', 'function_column.sequence_type' = 'int')", db)
	fresh := func() {
		s.exec("TRUNCATE TABLE `%s`.`u`", db)
		s.exec("INSERT INTO `%s`.`u` (k, s, d, __DORIS_SEQUENCE_COL__) VALUES (1, 'a', '2024-01-01', 1), (2, 'b', NULL, 1), (3, NULL, NULL, 1), (11, 'x', NULL, 1), (12, '', NULL, 1)", db)
		s.exec("DELETE FROM `%s`.`u` PARTITION(p1) WHERE k = 3", db)
	}
	shown := func() string {
		return values(s.query("SELECT concat(k, '=', ifnull(s, 'NULL'), '/', ifnull(cast(d AS STRING), 'NULL'), '/', __DORIS_SEQUENCE_COL__) AS x FROM `%s`.`u` ORDER BY k", db), "x")
	}
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		damage dorisim.Damage
		want   string
	}{
		"a row by its key":     {dorisim.Damage{Kind: "drop", Key: text("2")}, "1=a/2024-01-01/1,11=x/NULL/1,12=/NULL/1"},
		"rows of a partition":  {dorisim.Damage{Kind: "drop", Partition: "p2", Rows: 2}, "1=a/2024-01-01/1,2=b/NULL/1"},
		"more than there are":  {dorisim.Damage{Kind: "drop", Partition: "p2", Rows: 9}, "1=a/2024-01-01/1,2=b/NULL/1"},
		"a column":             {dorisim.Damage{Kind: "change", Key: text("1"), Column: "s"}, "1=0/2024-01-01/1,2=b/NULL/1,11=x/NULL/1,12=/NULL/1"},
		"a value":              {dorisim.Damage{Kind: "change", Key: text("2"), Column: "d", Value: text("2024-02-29")}, "1=a/2024-01-01/1,2=b/2024-02-29/1,11=x/NULL/1,12=/NULL/1"},
		"empty becomes NULL":   {dorisim.Damage{Kind: "change", Key: text("12"), Column: "s", Null: true}, "1=a/2024-01-01/1,2=b/NULL/1,11=x/NULL/1,12=NULL/NULL/1"},
		"a text becomes empty": {dorisim.Damage{Kind: "change", Key: text("1"), Column: "s", Value: text("")}, "1=/2024-01-01/1,2=b/NULL/1,11=x/NULL/1,12=/NULL/1"},
		"the sequence":         {dorisim.Damage{Kind: "change", Key: text("1"), Column: "__DORIS_SEQUENCE_COL__", Value: text("7")}, "1=a/2024-01-01/7,2=b/NULL/1,11=x/NULL/1,12=/NULL/1"},
		"a delete sign":        {dorisim.Damage{Kind: "delete", Key: text("1")}, "2=b/NULL/1,11=x/NULL/1,12=/NULL/1"},
		"a lost delete sign":   {dorisim.Damage{Kind: "undelete", Rows: 9}, "1=a/2024-01-01/1,2=b/NULL/1,3=NULL/NULL/1,11=x/NULL/1,12=/NULL/1"},
	} {
		fresh()
		versions := values(s.query("SHOW PARTITIONS FROM `%s`.`u`", db), "VisibleVersion")
		c.damage.Database, c.damage.Table = db, "u"
		done, err := cluster.Damage(c.damage)
		require.NoError(t, err, name)
		require.NotZero(t, done.Rows, name)
		require.Equal(t, c.want, shown(), name)
		require.Equal(t, versions, values(s.query("SHOW PARTITIONS FROM `%s`.`u`", db), "VisibleVersion"), name)
	}

	s.exec("CREATE TABLE `%s`.`t` (`k` INT, `v` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 ROLLUP (`r` (`v`, `k`)) %s", db, once)
	s.exec("INSERT INTO `%s`.`t` VALUES (1, 1), (2, 2)", db)
	_, err := cluster.Damage(dorisim.Damage{Database: db, Table: "t", Kind: "drop", Index: "r"})
	require.NoError(t, err)
	require.Len(t, s.query("SELECT * FROM `%s`.`t`", db), 2)
	require.Len(t, s.query("SELECT * FROM `%s`.`t` INDEX r", db), 1)
}
