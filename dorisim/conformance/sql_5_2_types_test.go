package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// IPV4 and IPV6 hold addresses: spelled in one way, ordered by their number.
func TestAddressTypes(t *testing.T) {
	src, dest := source(t).session(), destination(t)
	db, to := src.database(), dest.database()
	src.exec("CREATE TABLE `%s`.a (i IPV4, k INT, j IPV6 NULL DEFAULT '::1') UNIQUE KEY(i) DISTRIBUTED BY HASH(i) BUCKETS 2 %s", db, once)
	text := values(src.query("SHOW CREATE TABLE `%s`.a", db), "Create Table")
	require.Contains(t, text, "`i` ipv4 NULL")
	require.Contains(t, text, "`j` ipv6 NULL DEFAULT \"::1\"")
	require.Equal(t, "ipv4,int,ipv6", values(src.query("DESC `%s`.a", db), "Type"))
	src.exec("INSERT INTO `%s`.a VALUES ('10.0.0.1', 1, '2001:0db8:0:0::00FF'), ('9.0.0.1', 2, NULL)", db)
	src.exec("INSERT INTO `%s`.a (i, k) VALUES ('9.0.0.1', 3)", db)
	rows := src.query("SELECT * FROM `%s`.a ORDER BY k", db)
	require.Equal(t, "10.0.0.1,9.0.0.1", values(rows, "i"), "one row for each address")
	require.Equal(t, "2001:db8::ff,::1", values(rows, "j"))
	src.refuses(1105, "filtered data in strict mode", "INSERT INTO `%s`.a VALUES ('10.0.0.256', 1, NULL)", db)
	src.refuses(1105, "filtered data in strict mode", "INSERT INTO `%s`.a VALUES ('::1', 1, NULL)", db)
	src.exec("set enable_insert_strict = false")
	src.exec("INSERT INTO `%s`.a VALUES ('1.2.3.4', 4, 'nonsense')", db)
	require.Equal(t, "NULL", values(src.query("SELECT j FROM `%s`.a WHERE k = 4", db), "j"))

	src.restoreInto(dest, db, to)
	require.Equal(t, src.query("SELECT * FROM `%s`.a ORDER BY k", db), dest.query("SELECT * FROM `%s`.a ORDER BY k", to))
	src.carry(dest, db, to, "a", "INSERT INTO `"+db+"`.a VALUES ('9.0.0.1', 9, '::ffff:1.2.3.4')")
	require.Equal(t, src.query("SELECT * FROM `%s`.a ORDER BY k", db), dest.query("SELECT * FROM `%s`.a ORDER BY k", to))
	require.Equal(t, "::ffff:1.2.3.4", values(dest.query("SELECT j FROM `%s`.a WHERE k = 9", to), "j"))
}

// Templates of VARIANT are 3.1's.
func TestVariantTemplate(t *testing.T) {
	src, dest := source(t), destination(t)
	db, to := src.database(), dest.database()
	create := "CREATE TABLE `%s`.v (k INT, v VARIANT<'a.b':INT, MATCH_NAME 'n' : STRING COMMENT 'name', MATCH_NAME_GLOB 's*':ARRAY<INT>, " +
		"PROPERTIES(\"variant_max_subcolumns_count\" = \"10\")> NULL) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s"
	src.exec(create, db, once)
	const printed = "`v` variant<'a.b':int,MATCH_NAME 'n':text COMMENT 'name','s*':array<int>,PROPERTIES (\"variant_max_subcolumns_count\" = \"10\")> NULL"
	text := values(src.query("SHOW CREATE TABLE `%s`.v", db), "Create Table")
	require.Contains(t, text, printed)
	src.exec(`INSERT INTO %s.v VALUES (1, '{"a": {"b": 5}, "n": "x", "s1": [1, 2]}')`, db)
	require.Equal(t, "5", src.query(`SELECT CAST(v['a']['b'] AS INT) x FROM %s.v`, db)[0]["x"])
	dest.exec("USE `%s`; %s", to, text)
	require.Equal(t, text, values(dest.query("SHOW CREATE TABLE `%s`.v", to), "Create Table"), "what is printed can be executed")
	dest.exec("DROP TABLE `%s`.v FORCE", to)
	src.restoreInto(dest, db, to)
	require.Contains(t, values(dest.query("SHOW CREATE TABLE `%s`.v", to), "Create Table"), printed)
	require.Equal(t, src.query("SELECT * FROM `%s`.v", db), dest.query("SELECT * FROM `%s`.v", to))

	old := versioned(t, core.VersionM24)
	old.refuses(1105, "mismatched input '<'", create, old.database(), once)
}

// A STRUCT gets fields by MODIFY COLUMN, at once (doris-sql.md 4.12).
func TestStructFieldsAdded(t *testing.T) {
	src, dest := source(t), destination(t)
	db, to := src.database(), dest.database()
	src.exec("CREATE TABLE `%s`.s (k INT, s STRUCT<a:INT, b:VARCHAR(10)> NULL) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	src.exec(`INSERT INTO %s.s VALUES (1, named_struct('a', 1, 'b', 'x')), (2, {2, 'y'}), (3, '{"b": "z", "a": 3}'), (4, NULL)`, db)
	require.Equal(t, `{"a":1, "b":"x"},{"a":2, "b":"y"},{"a":3, "b":"z"},NULL`, values(src.query("SELECT s FROM `%s`.s ORDER BY k", db), "s"))
	prev := src.lastSeq(db)
	src.exec("ALTER TABLE `%s`.s MODIFY COLUMN s STRUCT<a:INT, b:VARCHAR(20), c:DATE> NULL", db)
	require.Equal(t, []binlog.Type{binlog.TypeModifyTableAddOrDropColumns}, src.kinds(db, prev))
	require.Contains(t, src.payload(db, binlog.TypeModifyTableAddOrDropColumns)["rawSql"], "MODIFY COLUMN `s` struct<a:int,b:varchar(20),c:date> NULL")
	require.Equal(t, `{"a":1, "b":"x", "c":null}`, values(src.query("SELECT s FROM `%s`.s WHERE k = 1", db), "s"))
	src.exec(`INSERT INTO %s.s VALUES (5, named_struct('a', 5, 'b', 'w', 'c', '2026-01-01'))`, db)

	src.refuses(1105, "Cannot reduce struct fields from struct<a:int,b:varchar(20),c:date> to struct<a:int>", "ALTER TABLE `%s`.s MODIFY COLUMN s STRUCT<a:INT> NULL", db)
	src.refuses(1105, "Cannot rename struct field from 'a' to 'x'", "ALTER TABLE `%s`.s MODIFY COLUMN s STRUCT<x:INT, b:VARCHAR(20), c:DATE> NULL", db)
	src.refuses(1105, "Added struct field 'b' conflicts with existing field", "ALTER TABLE `%s`.s MODIFY COLUMN s STRUCT<a:INT, b:VARCHAR(20), c:DATE, b:INT> NULL", db)
	src.refuses(1105, "Cannot change int to bigint in nested types", "ALTER TABLE `%s`.s MODIFY COLUMN s STRUCT<a:BIGINT, b:VARCHAR(20), c:DATE> NULL", db)

	src.restoreInto(dest, db, to)
	require.Equal(t, src.query("SELECT * FROM `%s`.s ORDER BY k", db), dest.query("SELECT * FROM `%s`.s ORDER BY k", to))
	src.carry(dest, db, to, "s", "INSERT INTO `"+db+"`.s VALUES (6, {6, 'v', NULL})")
	require.Equal(t, src.query("SELECT * FROM `%s`.s ORDER BY k", db), dest.query("SELECT * FROM `%s`.s ORDER BY k", to))

	old := versioned(t, core.VersionM24)
	oldDB := old.database()
	old.exec("CREATE TABLE `%s`.s (k INT, s STRUCT<a:INT> NULL) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", oldDB, once)
	old.refuses(1105, "Can not change STRUCT to STRUCT", "ALTER TABLE `%s`.s MODIFY COLUMN s STRUCT<a:INT, b:INT> NULL", oldDB)
}
