package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// doris-sql.md 2.12, doris-binlogs.md 6.8 row 81.
func TestViewsOverFunctions(t *testing.T) {
	s := source(t)
	db, other := s.database(), s.database()
	s.table(db, "t", 1)
	s.exec("INSERT INTO `%s`.t VALUES (1, 10), (2, 20)", db)
	s.refuses(1105, "errCode = 2, detailMessage = Can not found function 'twice'", "CREATE VIEW `%s`.v AS SELECT twice(k) FROM `%s`.t", db, db)
	s.refuses(1105, "Can not found function '"+db+".twice'", "CREATE VIEW `%s`.v AS SELECT %s.twice(k) FROM `%s`.t", db, db, db)
	s.refuses(1105, "Can not found function 'nope'", "SELECT nope(k) FROM `%s`.t", db)

	s.exec("CREATE ALIAS FUNCTION `%s`.twice(INT) WITH PARAMETER(x) AS x + x", db)
	s.exec("CREATE VIEW `%s`.v AS SELECT `%s`.twice(k + 1) AS two FROM `%s`.t WHERE `%s`.twice(v) > 20", db, db, db, db)
	require.Equal(t, "6", values(s.query("SELECT * FROM `%s`.v", db), "two"))
	s.refuses(1105, "Can not found function 'twice' which has 2 arity", "SELECT `%s`.twice(k, v) FROM `%s`.t", db, db)
	s.refuses(1105, "Can not found function", "CREATE VIEW `%s`.w AS SELECT `%s`.twice(k) FROM `%s`.t", db, other, db)

	s.exec("ALTER VIEW `%s`.v AS SELECT count(*) AS n, max(v) AS m, hll_union_agg(hll_hash(k)) h, sum_state(k) st FROM `%s`.t WHERE k IN (1, 2) AND NOT (k > 5)", db, db)
	s.refuses(1105, "Can not found function 'missing'", "ALTER VIEW `%s`.v AS SELECT missing(k) FROM `%s`.t", db, db)
	s.exec("ALTER VIEW `%s`.v AS WITH c (a) AS (SELECT CAST(k AS DECIMAL(9, 2)) FROM `%s`.t) SELECT a FROM c UNION ALL SELECT number FROM numbers('number' = '2')", db, db)
	require.Len(t, s.query("SELECT * FROM `%s`.v", db), 4)

	s.exec("CREATE GLOBAL ALIAS FUNCTION thrice_%s(INT) WITH PARAMETER(x) AS x * 3", db)
	s.exec("ALTER VIEW `%s`.v AS SELECT thrice_%s(k) AS three FROM `%s`.t ORDER BY 1", db, db, db)
	require.Equal(t, "3,6", values(s.query("SELECT * FROM `%s`.v", db), "three"))
	s.exec("DROP GLOBAL FUNCTION thrice_%s(INT)", db)
}

// A view over a table function that needs a resource (doris-sql.md 2.12).
func TestViewsOverResources(t *testing.T) {
	s := source(t)
	db := s.database()
	const create = `CREATE VIEW %s.v AS SELECT k FROM S3("uri" = "s3://b/x.csv", "format" = "csv", "resource" = "view_res")`
	s.refuses(1105, "Can not find resource", create, db)
	s.exec(`CREATE RESOURCE view_res PROPERTIES ("type" = "s3", "s3.endpoint" = "e")`)
	s.exec(create, db)
	s.exec("DROP RESOURCE view_res")
}
