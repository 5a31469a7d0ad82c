package conformance

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// refusal runs a statement that must fail and returns its number and its text
// without Doris' prefix.
func (s *side) refusal(format string, args ...any) (uint16, string) {
	s.t.Helper()
	_, err := s.db.ExecContext(ctx, fmt.Sprintf(format, args...))
	var refusal *mysql.MySQLError
	require.ErrorAs(s.t, err, &refusal, format)
	const prefix = "errCode = 2, detailMessage = "
	require.Contains(s.t, refusal.Message, prefix)
	return refusal.Number, refusal.Message[len(prefix):]
}

// Names beyond ASCII need enable_unicode_name_support in the session that gives
// them; whoever only mentions them needs nothing (doris-sql.md 1.6).
func TestUnicodeNames(t *testing.T) {
	for _, version := range []core.Version{core.VersionNew, core.Version21} {
		t.Run(string(version), func(t *testing.T) {
			s := versioned(t, version).session()
			db := s.database()
			s.exec("CREATE TABLE `%s`.t (k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10')) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
			s.exec("CREATE TABLE `%s`.u (k INT, v INT, w INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
			refused := unicodeStatements(db)
			for _, r := range refused {
				number, text := s.refusal("%s", r.statement)
				require.Equal(t, r.text, text, r.statement)
				require.Equal(t, r.number, number, r.statement)
			}
			s.exec("set enable_unicode_name_support = true")
			for _, r := range refused {
				if r.always {
					continue
				}
				s.exec("%s", r.statement)
				s.idle(db)
			}
			s.exec("set enable_unicode_name_support = false")
			s.exec("INSERT INTO `%s`.`表` VALUES (1, 10)", db)
			require.Equal(t, "10", values(s.query("SELECT `值` x FROM `%s`.`表`", db), "x"))
			require.Equal(t, "表", values(s.query("SHOW TABLES FROM `%s` LIKE '表'", db), "Tables_in_"+db))
			s.exec("ALTER TABLE `%s`.t DROP PARTITION `分区`", db)
			s.exec("ALTER TABLE `%s`.`订单` DROP COLUMN `列`", db)
			s.exec("DROP TABLE `%s`.`表`", db)
			s.exec("DROP DATABASE `%s`", "数据库")
		})
	}
}

type refusedName struct {
	statement string
	number    uint16
	text      string
	always    bool // no variable helps
}

// unicodeStatements give every kind of name; each works once the session allows
// it.
func unicodeStatements(db string) []refusedName {
	const (
		table     = `Incorrect table name '%s'. Table name regex is '^[a-zA-Z][a-zA-Z0-9-_]*$'`
		column    = `Incorrect column name '%s'. Column regex is '^[_a-zA-Z@0-9\s/][.a-zA-Z0-9_+-/?@#$%%^&*"\s,:]{0,255}$'`
		partition = "Incorrect partition name"
		distinct  = " DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 " + once
	)
	in := func(text string) string { return fmt.Sprintf(text, db) }
	return []refusedName{
		{"CREATE DATABASE `数据库`", 1102, "Incorrect database name '数据库'", false},
		{in("CREATE TABLE `%s`.`表` (k INT, `值` INT)") + distinct, 1105, fmt.Sprintf(table, "表"), false},
		{in("CREATE TABLE `%s`.w (k INT, `值` INT)") + distinct, 1105, fmt.Sprintf(column, "值"), false},
		{in("CREATE TABLE `%s`.x (k INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION `分区` VALUES LESS THAN ('1')) DISTRIBUTED BY HASH(k) BUCKETS 1 ") + once, 1105, partition, false},
		{in("CREATE TABLE `%[1]s`.`像` LIKE `%[1]s`.u"), 1105, fmt.Sprintf(table, "像"), false},
		{in("CREATE VIEW `%[1]s`.`视图` AS SELECT k FROM `%[1]s`.t"), 1105, fmt.Sprintf(table, "视图"), false},
		{in("CREATE VIEW `%[1]s`.v2 AS SELECT k AS `列` FROM `%[1]s`.t"), 1105, fmt.Sprintf(column, "列"), false},
		{in("ALTER TABLE `%s`.t ADD PARTITION `分区` VALUES LESS THAN ('20')"), 1567, partition, false},
		{in("ALTER TABLE `%s`.t ADD TEMPORARY PARTITION `placeholder_x` VALUES LESS THAN ('20')"), 1567, partition, true},
		{in("ALTER TABLE `%s`.t RENAME PARTITION p1 `旧`"), 1567, partition, false},
		{in("ALTER TABLE `%s`.u ADD COLUMN `列` INT"), 1166, fmt.Sprintf(column, "列"), false},
		{in("ALTER TABLE `%s`.u RENAME COLUMN w `宽`"), 1166, fmt.Sprintf(column, "宽"), false},
		{in("ALTER TABLE `%s`.u ADD ROLLUP `上卷` (k, v)"), 1103, fmt.Sprintf(table, "上卷"), false},
		{in("ALTER TABLE `%s`.u RENAME `订单`"), 1103, fmt.Sprintf(table, "订单"), false},
	}
}

// The rules of names that hold for every session.
func TestNameRules(t *testing.T) {
	s := source(t).session()
	db := s.database()
	s.table(db, "t", 1)
	s.exec("set enable_unicode_name_support = true")
	_, text := s.refusal("ALTER TABLE `%s`.t ADD COLUMN `a:列` INT", db)
	require.Equal(t, `Incorrect column name 'a:列'. Column regex is '^[_a-zA-Z@0-9\p{L}][.a-zA-Z0-9_+-/?@#$%^&*\p{L}]{0,255}$'`, text)
	_, text = s.refusal("ALTER TABLE `%s`.t RENAME `1表`", db)
	require.Equal(t, `Incorrect table name '1表'. Table name regex is '^[a-zA-Z\p{L}][a-zA-Z0-9-_\p{L}]*$'`, text)
	_, text = s.refusal("ALTER TABLE `%s`.t ADD COLUMN mv_x INT", db)
	require.Equal(t, "Incorrect column name mv_x, column name can't start with 'mv_'/'mva_'", text)
	long := "表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表表"
	number, text := s.refusal("ALTER TABLE `%s`.t RENAME `%s表`", db, long)
	require.Contains(t, text, "is 65 which is greater than the configuration 'table_name_length_limit' (64)")
	require.Equal(t, uint16(5089), number)
	s.exec("ALTER TABLE `%s`.t RENAME `%s`", db, long)
	s.exec("set enable_unicode_name_support = false")
	// RECOVER takes any name.
	s.exec("DROP TABLE `%s`.`%s`", db, long)
	s.exec("RECOVER TABLE `%s`.`%s` AS `回来`", db, long)
	require.Equal(t, "回来", values(s.query("SHOW TABLES FROM `%s`", db), "Tables_in_"+db))
	// Names that Doris gives to its hidden columns are free (doris-binlogs.md 2.8).
	s.exec("ALTER TABLE `%s`.`回来` ADD COLUMN `__DORIS_SEQUENCE_COL__` INT NULL", db)
	require.Contains(t, values(s.query("DESC `%s`.`回来`", db), "Field"), "__DORIS_SEQUENCE_COL__")
}

// A session keeps the name of its database, whatever becomes of the database.
func TestSessionKeepsItsDatabase(t *testing.T) {
	s := source(t)
	db := s.database()
	c, err := s.db.Conn(ctx)
	require.NoError(t, err)
	defer c.Close()
	run := func(statement string) error {
		_, err := c.ExecContext(context.Background(), statement)
		return err
	}
	require.NoError(t, run("USE "+db))
	require.NoError(t, run("DROP DATABASE "+db))
	current := func() (name sql.NullString) {
		require.NoError(t, c.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&name))
		return name
	}
	require.Equal(t, db, current().String)
	require.ErrorContains(t, run("CREATE TABLE t (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 "+once), "Unknown database '"+db+"'")
	require.ErrorContains(t, run("INSERT INTO t VALUES (1)"), "Database ["+db+"] does not exist.")
	require.ErrorContains(t, run("SELECT * FROM t"), "Database ["+db+"] does not exist.")
	require.NoError(t, run("CREATE DATABASE "+db))
	require.NoError(t, run("CREATE TABLE t (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')"))
	require.NoError(t, run("INSERT INTO t VALUES (1)"))
	require.Equal(t, db, current().String)
	require.Len(t, s.query("SELECT * FROM `%s`.t", db), 1)
}
