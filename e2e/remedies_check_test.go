package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// checkRow is a line of check_ccr that does not pass, and a way out that it names.
type checkRow struct {
	name  string
	line  string // of check_ccr
	helps []string
	pair  harness.PairOptions
	// play makes the line fail or warn, and follows its remedy.
	play func(*checking)
}

// checking is a row being played.
type checking struct {
	*trouble
	line string
	// body is what is asked for. Rows change it as the remedy says.
	body map[string]any
}

func checkRows() []checkRow { return append(checkedSources(), checkedDestinations()...) }

// Where check_ccr says what to do, that makes the line pass.
func TestCheckRemediesHelp(t *testing.T) {
	t.Parallel()
	first := newEnv(t, harness.PairOptions{})
	var players errgroup.Group
	players.SetLimit(atOnce)
	for _, row := range checkRows() {
		players.Go(func() error {
			t.Run(row.name, func(t *testing.T) {
				e := first.beside(t, row.pair)
				c := &checking{trouble: &trouble{env: e, row: &remedyRow{helps: row.helps}}, line: row.line, body: map[string]any{
					"name": e.jobName(), "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}}
				row.play(c)
				c.fine()
			})
			return nil
		})
	}
	require.NoError(t, players.Wait())
}

// now is what check_ccr says in the row's line.
func (c *checking) now() checkLine {
	c.Helper()
	_, lines := c.check(func(body map[string]any) {
		for key, value := range c.body {
			body[key] = value
		}
	})
	return lines[c.line]
}

// told makes sure that the line does not pass, and has the remedy.
func (c *checking) told() {
	c.Helper()
	line := c.now()
	require.Contains(c, []string{"warn", "fail"}, line.Status, "%v", line)
	require.Contains(c, line.Remedy, c.row.helps[0], "%v", line)
	c.remedy = line.Remedy
}

// fine makes sure that the line passes, or is not there any more.
func (c *checking) fine() {
	c.Helper()
	line := c.now()
	require.Contains(c, []string{"", "pass"}, line.Status, "%v", line)
}

func checkedSources() []checkRow {
	const plainTable = `CREATE TABLE d.%s (id INT) DUPLICATE KEY(id)` + oneBucket
	return []checkRow{
		{name: "a database records", line: "source: database", helps: []string{"switch binlogs on for each table, then: ALTER DATABASE"}, play: func(c *checking) {
			c.exec("CREATE DATABASE d", fmt.Sprintf(plainTable, "t"))
			c.told()
			c.exec(`ALTER TABLE d.t SET ("binlog.enable" = "true")`)
			c.follow(c.src, `ALTER DATABASE .* SET PROPERTIES \("binlog.enable" = "true"\)`)
		}},
		{name: "a table records", line: "source: database", helps: []string{`ALTER TABLE %s SET ("binlog.enable" = "true")`}, play: func(c *checking) {
			c.exec("CREATE DATABASE d", fmt.Sprintf(plainTable, "t"))
			c.body["src"], c.body["dest"] = c.pair.Source.Spec("d", "t"), c.pair.Destination.Spec("d", "t")
			c.row.helps = []string{`SET ("binlog.enable" = "true")`}
			c.told()
			c.follow(c.src, `ALTER TABLE .* SET \("binlog.enable" = "true"\)`)
		}},
		{name: "each table records", line: "source: tables", helps: []string{`for each: ALTER TABLE`}, play: func(c *checking) {
			c.withUnrecorded(fmt.Sprintf(plainTable, "off"))
			c.follow(c.src, `ALTER TABLE .* SET \("binlog.enable" = "true"\)`)
		}},
		{name: "tables that do not record are left out", line: "source: tables", helps: []string{"or exclude_tables"}, play: func(c *checking) {
			c.withUnrecorded(fmt.Sprintf(plainTable, "off"))
			c.body[c.said("exclude_tables")] = []string{"off"}
		}},
		{name: "a database that is not there", line: "source: database", helps: []string{"create it, or correct its name"}, play: func(c *checking) {
			c.told()
			c.tables("t")
		}},
		{name: "a database that is hidden", line: "source: database", helps: []string{"grant the privileges first"}, play: func(c *checking) {
			c.tables("t")
			c.exec("CREATE USER 'ccr' IDENTIFIED BY 'pw'")
			side(c.body, "src")["user"], side(c.body, "src")["password"] = "ccr", "pw"
			c.told()
			c.exec("GRANT SELECT_PRIV, LOAD_PRIV ON internal.d.* TO 'ccr'")
		}},
		{name: "privileges", line: "source: privileges", helps: []string{"GRANT %s ON %s TO %s"}, play: func(c *checking) {
			c.tables("t")
			c.exec("CREATE USER 'ccr' IDENTIFIED BY 'pw'", "GRANT SELECT_PRIV ON internal.d.* TO 'ccr'")
			side(c.body, "src")["user"], side(c.body, "src")["password"] = "ccr", "pw"
			c.row.helps = []string{"GRANT "}
			c.told()
			c.follow(c.src, "GRANT .*")
		}},
		{name: "binlogs are kept for longer", line: "source: binlog retention", helps: []string{"raise it, e.g. ALTER DATABASE"}, play: func(c *checking) {
			c.tables("t")
			c.exec(`ALTER TABLE d.t SET ("binlog.ttl_seconds" = "600")`, `ALTER DATABASE d SET PROPERTIES ("binlog.ttl_seconds" = "600")`)
			c.told()
			c.follow(c.src, `ALTER DATABASE .*? SET PROPERTIES \(.*?\)`)
			c.follow(c.src, `ALTER TABLE .*? SET \(.*?\)`)
		}},
		{name: "more tablets", line: "source: tablets", helps: []string{`ADMIN SET FRONTEND CONFIG ("max_backup_tablets_per_job" =`}, play: func(c *checking) {
			c.withManyTablets()
			c.follow(c.src, `ADMIN SET FRONTEND CONFIG \(.*?\)`)
		}},
		{name: "fewer tablets", line: "source: tablets", helps: []string{"or several jobs with include_tables"}, play: func(c *checking) {
			c.withManyTablets()
			c.body[c.said("include_tables")] = []string{"t"}
		}},
		{name: "temporary partitions are passed over", line: "source: temporary partitions", helps: []string{" = true on each frontend of the source, or drop them"}, play: func(c *checking) {
			c.withTemporary()
			c.set(c.src, "ignore_backup_tmp_partitions", "true")
		}},
		{name: "temporary partitions are dropped", line: "source: temporary partitions", helps: []string{"or drop them (SHOW TEMPORARY PARTITIONS FROM t)"}, play: func(c *checking) {
			c.withTemporary()
			c.follow(c.src, "SHOW TEMPORARY PARTITIONS FROM t", "FROM t", "FROM d.t")
			c.exec("ALTER TABLE d.t DROP TEMPORARY PARTITION tp")
		}},
		{name: "tables of another kind", line: "source: external tables", helps: []string{"or leave them out with exclude_tables"}, play: func(c *checking) {
			c.tables("t")
			c.exec(externalTable("elsewhere"))
			c.told()
			c.body[c.said("exclude_tables")] = []string{"elsewhere"}
		}},
		{name: "tables of another kind are made by hand", line: "source: external tables", helps: []string{"create them on the destination yourself"}, play: func(c *checking) {
			c.tables("t")
			c.exec(externalTable("elsewhere"))
			c.row.helps = []string{" = true on each frontend of the source"}
			c.told()
			c.set(c.src, "ignore_backup_not_support_table_type", "true")
			c.row.helps = []string{"create them on the destination yourself"}
			c.told() // it stays a warning: nothing tells who keeps the two alike
			c.execDestination("CREATE DATABASE d", externalTable("elsewhere"))
			c.createJobOf(c.jobName(), nil)
			c.full = 1
			c.goesOn()
			c.deleted()
			c.line = "source: tables"
		}},
		{name: "light schema changes", line: "source: light schema change", helps: []string{"recreate them with light_schema_change = true"}, play: func(c *checking) {
			c.exec("CREATE DATABASE d", `CREATE TABLE d.t (id INT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1", "light_schema_change" = "false")`)
			c.enableBinlog("d", "t")
			c.told()
			c.exec("DROP TABLE d.t", `CREATE TABLE d.t (id INT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1", "light_schema_change" = "true", "binlog.enable" = "true")`)
		}},
		{name: "backends without binlogs", line: "source: binlogs of backends", helps: []string{" = true in be.conf of every backend and restart them"}, play: func(c *checking) {
			c.tables("t")
			c.pair.Source.BE(0).SetProperty(be.PropertyBinlog, "false")
			c.told()
			require.NoError(c, c.pair.Source.KillBE(0))
			c.pair.Source.BE(0).SetProperty(be.PropertyBinlog, "true")
			require.NoError(c, c.pair.Source.RestartBE(0))
		}},
		{name: "frontends without binlogs", line: "source: frontend", helps: []string{" = true in fe.conf of every frontend and restart them"}, play: func(c *checking) {
			c.tables("t")
			c.pair.Source.Core().SetFEConfig("enable_feature_binlog", "false")
			c.told()
			require.NoError(c, c.pair.Source.KillFE(0))
			c.pair.Source.Core().SetFEConfig("enable_feature_binlog", "true")
			require.NoError(c, c.pair.Source.RestartFE(0))
		}},
		{name: "a frontend that is down", line: "source: all frontends", helps: []string{"start them, open the firewall"}, pair: harness.PairOptions{FEs: 3}, play: func(c *checking) {
			c.tables("t")
			require.NoError(c, c.pair.Source.KillFE(2))
			c.told()
			require.NoError(c, c.pair.Source.RestartFE(2))
		}},
		{name: "an old source", line: "source: recorded changes", helps: []string{"upgrade the source to 2.1.8, 3.0.4 or later"}, pair: harness.PairOptions{Version: core.Version21}, play: func(c *checking) {
			c.tables("t")
			c.told()
			newer := clusters(c.T, harness.PairOptions{BEs: 1}) // the upgraded one
			newer.exec("CREATE DATABASE d", fmt.Sprintf(partedTable, "d", "t"))
			newer.enableBinlog("d", "t")
			c.body["src"] = newer.pair.Source.Spec("d", "")
		}},
	}
}

func checkedDestinations() []checkRow {
	return []checkRow{
		{name: "a short memory of labels", line: "destination: label memory", helps: []string{`ADMIN SET FRONTEND CONFIG ("%s" = "%d"); `}, play: func(c *checking) {
			c.tables("t")
			c.configure(c.dst, "label_num_threshold", "10")
			c.configure(c.dst, "streaming_label_keep_max_second", "60")
			c.row.helps = []string{`ADMIN SET FRONTEND CONFIG ("label_num_threshold"`}
			c.told()
			c.follow(c.dst, `ADMIN SET FRONTEND CONFIG \("label_num_threshold" = "\d+"\)`)
			c.follow(c.dst, `ADMIN SET FRONTEND CONFIG \("streaming_label_keep_max_second" = "\d+"\)`)
		}},
		{name: "backends that are down", line: "destination: backends", helps: []string{"start the backends"}, play: func(c *checking) {
			c.tables("t")
			require.NoError(c, c.pair.Destination.KillBE(0))
			c.told()
			require.NoError(c, c.pair.Destination.RestartBE(0))
		}},
		{name: "one backend that is down", line: "destination: backends", helps: []string{"start them, or drop them from the cluster"}, pair: harness.PairOptions{BEs: 2}, play: func(c *checking) {
			c.tables("t")
			require.NoError(c, c.pair.Destination.KillBE(1))
			c.told()
			c.execDestination(fmt.Sprintf(`ALTER SYSTEM DROPP BACKEND "%s"`, c.member(c.dst, c.pair.Destination.BE(1).ID())))
		}},
		{name: "backends at private addresses", line: "source: backends", helps: []string{"open the firewall, or name the backends' public addresses in the host mapping of this side"},
			pair: harness.PairOptions{SourcePrivate: "127.251.8."}, play: func(c *checking) {
				c.tables("t")
				spec := side(c.body, "src")
				spec["host_mapping"] = map[string]string{"127.251.8.1": "127.0.0.1", "127.251.8.101": "127.251.8.101"}
				c.told()
				spec["host_mapping"] = map[string]string{"127.251.8.1": "127.0.0.1", "127.251.8.101": "127.0.0.1"}
			}},
		{name: "fewer replicas for all", line: "destination: replicas", helps: []string{"lower replication_num, or add backends"}, play: func(c *checking) {
			c.tables("t")
			c.body["replication_num"] = 3
			c.told()
			c.body[c.said("replication_num")] = 1
		}},
		{name: "more backends", line: "destination: replicas", helps: []string{"create the job with replication_num, or add backends"}, play: func(c *checking) {
			c.addBackend(c.pair.Source, c.src)
			c.exec("CREATE DATABASE d", fmt.Sprintf(replicatedTable, "d", "t", 2))
			c.enableBinlog("d", "t")
			c.told()
			c.addBackend(c.pair.Destination, c.dst)
		}},
		{name: "a table that is there is renamed", line: "destination: database", helps: []string{"drop or rename it, or create the job with allow_table_exists"}, play: func(c *checking) {
			c.tables("t")
			c.body["src"], c.body["dest"] = c.pair.Source.Spec("d", "t"), c.pair.Destination.Spec("d", "t")
			c.execDestination("CREATE DATABASE d", fmt.Sprintf(partedTable, "d", "t"))
			c.told()
			c.execDestination("ALTER TABLE d.t RENAME kept")
		}},
		{name: "tables with rows are renamed", line: "destination: database", helps: []string{"rename or drop them on the destination, leave them out with exclude_tables, or create the job with allow_table_exists"}, play: func(c *checking) {
			c.tables("t")
			c.execDestination("CREATE DATABASE d", fmt.Sprintf(partedTable, "d", "t"), "INSERT INTO d.t VALUES (7, 'only here')")
			c.told()
			c.execDestination("ALTER TABLE d.t RENAME kept")
		}},
		{name: "tables with rows are left out", line: "destination: database", helps: []string{"leave them out with exclude_tables"}, play: func(c *checking) {
			c.tables("t", "u")
			c.execDestination("CREATE DATABASE d", fmt.Sprintf(partedTable, "d", "t"), "INSERT INTO d.t VALUES (7, 'only here')")
			c.told()
			c.body[c.said("exclude_tables")] = []string{"t"}
		}},
		{name: "what has to be kept is renamed", line: "destination: database", helps: []string{"rename what has to be kept"}, play: func(c *checking) {
			c.tables("t")
			c.body[allowTableExists] = true
			c.execDestination("CREATE DATABASE d", fmt.Sprintf(partedTable, "d", "t"), "INSERT INTO d.t VALUES (7, 'only here')")
			c.told()
			c.execDestination("ALTER TABLE d.t RENAME kept")
		}},
		{name: "an old destination", line: "versions", helps: []string{"upgrade the destination first"}, play: func(c *checking) {
			c.tables("t")
			older := clusters(c.T, harness.PairOptions{BEs: 1, Version: core.Version21})
			c.body["dest"] = older.pair.Destination.Spec("d", "")
			c.told()
			c.body["dest"] = c.pair.Destination.Spec("d", "") // the upgraded one
		}},
		{name: "a password", line: "destination: frontend", helps: []string{"correct %s.user and %s.password"}, play: func(c *checking) {
			c.tables("t")
			side(c.body, "dest")["password"] = "wrong"
			c.row.helps = []string{"correct dest.user and dest.password"}
			c.told()
			side(c.body, "dest")["password"] = c.pair.Destination.Password
		}},
		{name: "a port", line: "source: frontend", helps: []string{"start the server, open the firewall, or correct %s.host"}, play: func(c *checking) {
			c.tables("t")
			port := side(c.body, "src")["port"]
			side(c.body, "src")["port"] = "1"
			c.row.helps = []string{"start the server, open the firewall, or correct src.host"}
			c.told()
			side(c.body, "src")["port"] = port
		}},
		{name: "a host mapping", line: "source: backends", helps: []string{"name its public address in %s.host_mapping"},
			pair: harness.PairOptions{SourcePrivate: "127.251.9."}, play: func(c *checking) {
				c.tables("t")
				mapping := map[string]string{"127.251.9.1": "127.0.0.1"}
				side(c.body, "src")["host_mapping"] = mapping
				c.row.helps = []string{"name its public address in src.host_mapping"}
				c.told()
				mapping["127.251.9.101"] = "127.0.0.1"
			}},
		{name: "into itself", line: "source and destination", helps: []string{"correct dest.host, or give dest another database or table"}, play: func(c *checking) {
			c.tables("t")
			c.body["dest"] = c.pair.Source.Spec("d", "")
			c.told()
			c.body["dest"] = c.pair.Source.Spec("another", "")
		}},
		{name: "a name that is taken", line: "name", helps: []string{"choose another name, or delete that job"}, play: func(c *checking) {
			c.tables("t")
			c.createJobOf(c.jobName(), nil)
			c.told()
			c.deleted()
		}},
		{name: "another job there", line: "other jobs", helps: []string{"choose another destination, or delete the other job first"}, play: func(c *checking) {
			c.tables("t")
			c.createJobOf(c.jobName()+"_first", nil)
			c.told()
			c.body["dest"] = c.pair.Destination.Spec("another", "")
		}},
	}
}

const allowTableExists = "allow_table_exists"

func externalTable(name string) string {
	return "CREATE EXTERNAL TABLE d." + name + ` (id INT) ENGINE=MYSQL PROPERTIES ("host" = "127.0.0.1", "port" = "3306", "user" = "u", "password" = "", "database" = "m", "table" = "x")`
}

func (c *checking) withUnrecorded(create string) {
	c.Helper()
	c.exec("CREATE DATABASE d", fmt.Sprintf(partedTable, "d", "t"), `ALTER TABLE d.t SET ("binlog.enable" = "true")`, create)
	c.told()
}

func (c *checking) withManyTablets() {
	c.Helper()
	c.tables("t", "u")
	c.configure(c.src, "max_backup_tablets_per_job", "3")
	c.told()
}

func (c *checking) withTemporary() {
	c.Helper()
	c.tables("t")
	c.exec(`ALTER TABLE d.t ADD TEMPORARY PARTITION tp VALUES LESS THAN ("1000")`)
	c.told()
}
