package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

func TestAsyncMaterializedView(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 10), (11, 20)", db)
	prev := s.lastSeq(db)
	s.exec("CREATE MATERIALIZED VIEW `%s`.mv BUILD IMMEDIATE REFRESH COMPLETE ON SCHEDULE EVERY 10 hour DISTRIBUTED BY RANDOM BUCKETS 2 "+
		"PROPERTIES ('replication_num' = '1') AS SELECT k, v FROM `%s`.t", db, db)
	s.refuses(1105, "already exists", "CREATE MATERIALIZED VIEW `%s`.mv REFRESH AUTO ON MANUAL AS SELECT k FROM `%s`.t", db, db)
	s.exec("CREATE MATERIALIZED VIEW IF NOT EXISTS `%s`.mv REFRESH AUTO ON MANUAL AS SELECT k FROM `%s`.t", db, db)
	for _, text := range []string{
		"REFRESH MATERIALIZED VIEW `%s`.mv AUTO", "REFRESH MATERIALIZED VIEW `%s`.mv COMPLETE", "PAUSE MATERIALIZED VIEW JOB ON `%s`.mv",
		"RESUME MATERIALIZED VIEW JOB ON `%s`.mv", "ALTER MATERIALIZED VIEW `%s`.mv SET ('grace_period' = '3000')",
		"ALTER MATERIALIZED VIEW `%s`.mv REFRESH COMPLETE", "ALTER MATERIALIZED VIEW `%s`.mv RENAME mv2",
	} {
		s.exec(text, db)
	}
	require.Len(t, s.query("SELECT * FROM `%s`.mv2 WHERE v > 10", db), 1)
	require.Contains(t, values(s.query("SHOW CREATE MATERIALIZED VIEW `%s`.mv2", db), "Create Materialized View"), "ON SCHEDULE EVERY 10 hour")
	require.Equal(t, "MATERIALIZED_VIEW", s.tableMeta(db, "mv2").GetType())
	s.exec("CREATE MATERIALIZED VIEW `%s`.mv3 REFRESH AUTO ON MANUAL PROPERTIES ('replication_num' = '1') AS SELECT k, v FROM `%s`.t", db, db)
	s.exec("ALTER MATERIALIZED VIEW `%s`.mv2 REPLACE WITH MATERIALIZED VIEW mv3 PROPERTIES ('swap' = 'false')", db)
	s.exec("DROP MATERIALIZED VIEW `%s`.mv2", db)
	s.exec("DROP MATERIALIZED VIEW IF EXISTS `%s`.mv2", db)
	s.refuses(1347, "is not MATERIALIZED_VIEW", "DROP MATERIALIZED VIEW `%s`.t", db)
	require.Empty(t, s.kinds(db, prev), "nothing of it is recorded")
}

func TestAsyncMaterializedViewInOldVersions(t *testing.T) {
	s := versioned(t, core.Version21)
	db := s.rangedTable()
	s.exec("CREATE MATERIALIZED VIEW `%s`.mv REFRESH AUTO ON MANUAL PROPERTIES ('replication_num' = '1') AS SELECT k FROM `%s`.t", db, db)
	require.Contains(t, s.payload(db, binlog.TypeCreateTable)["sql"], "ENGINE=MATERIALIZED_VIEW")
}

func TestStoredObjects(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec(`CREATE RESOURCE IF NOT EXISTS "res_1" PROPERTIES ("type" = "s3", "s3.endpoint" = "e", "s3.secret_key" = "xyz")`)
	s.exec(`CREATE RESOURCE IF NOT EXISTS "res_1" PROPERTIES ("type" = "s3")`)
	rows := s.query(`SHOW RESOURCES WHERE NAME = "res_1"`)
	require.Len(t, rows, 3)
	require.Contains(t, values(rows, "Value"), "******")
	require.NotContains(t, values(rows, "Value"), "xyz")
	s.refuses(1105, "Resource(res_1) already exist", `CREATE RESOURCE res_1 PROPERTIES ("type" = "s3")`)

	s.exec(`CREATE STORAGE POLICY IF NOT EXISTS pol_1 PROPERTIES ("storage_resource" = "res_1", "cooldown_ttl" = "300")`)
	s.exec(`ALTER STORAGE POLICY pol_1 PROPERTIES ("cooldown_ttl" = "400")`)
	rows = s.query("SHOW STORAGE POLICY")
	require.Equal(t, "400", values(rows, "CooldownTtl"))
	require.Equal(t, "pol_1", values(rows, "PolicyName"))
	s.exec("DROP STORAGE POLICY pol_1")
	s.exec("DROP STORAGE POLICY IF EXISTS pol_1")
	s.refuses(1105, "has been dropped or does not exist", "DROP STORAGE POLICY pol_1")
	s.exec("DROP RESOURCE 'res_1'")

	s.exec("CREATE ALIAS FUNCTION `%s`.view_function(INT) WITH PARAMETER(id) AS CONCAT(LEFT(id, 3), '****', RIGHT(id, 4))", db)
	require.Equal(t, "view_function(INT)", values(s.query("SHOW FULL FUNCTIONS FROM `%s` LIKE 'view_function'", db), "Signature"))
	require.Empty(t, s.query("SHOW FULL FUNCTIONS FROM `%s` LIKE 'x'", db))
	s.exec("DROP FUNCTION IF EXISTS `%s`.view_function(INT)", db)
	s.exec("DROP FUNCTION IF EXISTS `%s`.view_function(INT)", db)
	s.refuses(1105, "Unknown function", "DROP FUNCTION `%s`.view_function(INT)", db)
}
