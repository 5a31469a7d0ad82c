package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Generated columns are computed by whoever writes a row; nobody may give them a
// value (doris-sql.md 4.12).
func TestGeneratedColumns(t *testing.T) {
	src, dest := source(t).session(), destination(t)
	db, to := src.database(), dest.database()
	src.exec("CREATE TABLE `%s`.g (a INT, c DOUBLE GENERATED ALWAYS AS (abs(a + b)) NOT NULL, b INT DEFAULT '100', d INT AS (c + 1)) "+
		"DUPLICATE KEY(a) DISTRIBUTED BY HASH(a) BUCKETS 1 %s", db, once)
	src.exec("INSERT INTO `%s`.g VALUES (1, DEFAULT, 5, DEFAULT), (2, DEFAULT, -9, DEFAULT)", db)
	src.exec("INSERT INTO `%s`.g (a, b) VALUES (3, 6)", db)
	src.exec("INSERT INTO `%s`.g (a, d, c) VALUES (4, DEFAULT, DEFAULT)", db)
	src.exec("INSERT INTO `%s`.g (a, b) SELECT a + 4, b FROM `%s`.g WHERE a = 1", db, db)
	check := func(s *side, db string) {
		t.Helper()
		rows := s.query("SELECT * FROM `%s`.g ORDER BY a", db)
		require.Equal(t, "1,2,3,4,5", values(rows, "a"))
		require.Equal(t, "6,7,9,104,10", values(rows, "c"))
		require.Equal(t, "7,8,10,105,11", values(rows, "d"))
	}
	check(src, db)

	const refused = "The value specified for generated column 'c' in table 'g' is not allowed."
	src.refuses(1105, "Column count doesn't match value count", "INSERT INTO `%s`.g VALUES (1, 2)", db)
	src.refuses(1105, refused, "INSERT INTO `%s`.g VALUES (1, 2, 3, DEFAULT)", db)
	src.refuses(1105, refused, "INSERT INTO `%s`.g (a, c) VALUES (1, 2)", db)
	src.refuses(1105, refused, "INSERT INTO `%s`.g SELECT 1, 2, 3, 4", db)
	src.refuses(1105, refused, "INSERT INTO `%s`.g (a, b, c) SELECT a, b, c FROM `%s`.g", db, db)
	src.refuses(1105, "Insert has filtered data in strict mode", "INSERT INTO `%s`.g (a, b) VALUES (1, NULL)", db)
	check(src, db)

	src.restoreInto(dest, db, to)
	check(dest, to)
	require.Contains(t, values(dest.query("SHOW CREATE TABLE `%s`.g", to), "Create Table"), "`d` int AS ((`c` + 1)) NULL")
	src.carry(dest, db, to, "g", "INSERT INTO `"+db+"`.g (a, b) VALUES (10, 30)")
	require.Equal(t, "40", values(dest.query("SELECT c FROM `%s`.g WHERE a = 10", to), "c"), "by ingest")
	dest.exec("INSERT INTO `%s`.g (a, b) VALUES (11, 30)", to)
	require.Equal(t, "42", values(dest.query("SELECT d FROM `%s`.g WHERE a = 11", to), "d"), "the restored definition computes")

	src.exec("INSERT OVERWRITE TABLE `%s`.g SELECT 7, 0, 8, 0", db)
	require.Equal(t, "16", values(src.query("SELECT d FROM `%s`.g", db), "d"), "computed, whatever was selected")
}

func TestGeneratedColumnsInUpdates(t *testing.T) {
	s := source(t).session()
	db := s.database()
	s.exec("CREATE TABLE `%s`.u (k INT, a INT, b INT, c INT AS (a + b)) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	s.exec("INSERT INTO `%s`.u VALUES (1, 2, 3, DEFAULT)", db)
	s.exec("UPDATE `%s`.u SET b = 20 WHERE k = 1", db)
	require.Equal(t, "22", values(s.query("SELECT c FROM `%s`.u", db), "c"))
	s.exec("set enable_unique_key_partial_update = true")
	s.exec("set enable_insert_strict = false")
	s.refuses(1105, "Partial update should include all ordinary columns referenced by generated columns, missing: b", "INSERT INTO `%s`.u (k, a) VALUES (1, 5)", db)
	s.exec("INSERT INTO `%s`.u (k, a, b) VALUES (1, 5, 6)", db)
	require.Equal(t, "11", values(s.query("SELECT c FROM `%s`.u", db), "c"))
}

func TestGeneratedColumnRefusals(t *testing.T) {
	s := source(t)
	db := s.database()
	for definition, text := range map[string]string{
		"a INT, c INT AS (sum(a))":                       "Expression of generated column 'c' contains a disallowed function:'sum'",
		"a INT, c INT AS (abs(d))":                       "Unknown column 'd' in 'generated column function'",
		"a INT, c INT AS (abs(a + d)), d INT AS (c + 1)": "Generated column can refer only to generated columns defined prior to it.",
		"a INT, c INT AS (a + @x)":                       "Generated column expression cannot contain variable.",
		"a INT, c INT AS (a + (SELECT 1))":               "Generated column does not support subquery.",
		"a BIGINT NOT NULL AUTO_INCREMENT, c INT AS (a)": "Generated column 'c' cannot refer to auto-increment column.",
		"a INT, c INT AS (a) NOT NULL AUTO_INCREMENT":    "Generated columns cannot be auto_increment.",
		"a INT, c INT AS (a + 1) DEFAULT '10'":           "Generated columns cannot have default value.",
	} {
		s.refuses(1105, text, "CREATE TABLE `%s`.x (%s) DUPLICATE KEY(a) DISTRIBUTED BY HASH(a) BUCKETS 1 %s", db, definition, once)
	}
	s.refuses(1105, "value columns of replace and replace_if_not_null aggregation type.",
		"CREATE TABLE `%s`.x (a INT, c INT SUM AS (a + 1)) AGGREGATE KEY(a) DISTRIBUTED BY HASH(a) BUCKETS 1 %s", db, once)
	s.exec("CREATE TABLE `%s`.t (k INT, a INT, c INT AS (a + 1), d INT AS (c + 1)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	s.refuses(1105, "Column 'a' has a generated column dependency on :[c]", "ALTER TABLE `%s`.t DROP COLUMN a", db)
	s.refuses(1105, "Column 'c' has a generated column dependency on :[d]", "ALTER TABLE `%s`.t DROP COLUMN c", db)
	s.refuses(1105, "Not supporting alter table add generated columns.", "ALTER TABLE `%s`.t ADD COLUMN e INT AS (a + 2)", db)
	s.refuses(1105, "Not supporting alter table modify generated columns.", "ALTER TABLE `%s`.t MODIFY COLUMN c BIGINT AS (a + 2)", db)
	s.exec("ALTER TABLE `%s`.t DROP COLUMN d", db)
	s.exec("ALTER TABLE `%s`.t DROP COLUMN c", db)
	s.exec("ALTER TABLE `%s`.t DROP COLUMN a", db)
}

// A default that is the empty string is a default (doris-sql.md 4.7).
func TestEmptyDefaultSurvivesRestore(t *testing.T) {
	src, dest := source(t), destination(t)
	db, to := src.database(), dest.database()
	src.exec("CREATE TABLE `%s`.e (k INT, a VARCHAR(10) NOT NULL DEFAULT '', b STRING NULL DEFAULT \"\", c INT NULL) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	src.restoreInto(dest, db, to)
	for _, side := range []struct {
		*side
		db string
	}{{src, db}, {dest, to}} {
		text := values(side.query("SHOW CREATE TABLE `%s`.e", side.db), "Create Table")
		require.Contains(t, text, "`a` varchar(10) NOT NULL DEFAULT \"\"")
		require.Contains(t, text, "`b` text NULL DEFAULT \"\"")
		require.Contains(t, text, "`c` int NULL\n")
		side.exec("INSERT INTO `%s`.e (k) VALUES (1)", side.db)
		require.Equal(t, []row{{"k": "1", "a": "", "b": "", "c": "NULL"}}, side.query("SELECT * FROM `%s`.e", side.db))
	}
	// And once more over the table that is there: the signatures are equal.
	src.restoreInto(dest, db, to)
	require.Contains(t, values(dest.query("SHOW CREATE TABLE `%s`.e", to), "Create Table"), "`a` varchar(10) NOT NULL DEFAULT \"\"")
}
