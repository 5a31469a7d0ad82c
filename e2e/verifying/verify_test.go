// Package verifying tests the comparison of tables on two simulated clusters, without
// a job between them: what differs is planted by plain SQL on one side.
package verifying

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
	"github.com/doris-ccr/ccr/replication/verify"
)

const password = "s3cret"

var ctx = context.Background()

// clusters are the source and the destination of all tests.
var clusters [2]*dorisim.Cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	for i := range clusters {
		c, err := dorisim.Start(ctx, dorisim.Config{Name: []string{"source", "destination"}[i], FEs: 1, BEs: 3, RootPassword: password})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer c.Close()
		clusters[i] = c
	}
	return m.Run()
}

// scene is a database on both sides.
type scene struct {
	t       *testing.T
	db      [2]*sql.DB
	name    string
	method  job.VerifyMethod
	request job.VerifyRequest
	input   job.StepInput
	job     *replication.Job

	connector *replication.Connector
	caught    bool
	reports   []job.Verifying
	before    job.Verifying
}

func newScene(t *testing.T) *scene {
	t.Parallel()
	s := &scene{t: t, name: "v" + strconv.FormatInt(time.Now().UnixNano(), 36), method: job.VerifyRows, caught: true}
	s.input = job.StepInput{Spec: job.Spec{Name: s.name, UID: "0123456789abcdef"}, Progress: job.Progress{Tables: map[int64]job.Table{}}}
	for i, c := range clusters {
		db, err := sql.Open("mysql", fmt.Sprintf("root:%s@tcp(%s)/", password, c.FE(0).MySQLAddr()))
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		s.db[i] = db
		s.exec(i, "CREATE DATABASE `"+s.name+"`")
		spec := []*job.Cluster{&s.input.Spec.Source, &s.input.Spec.Destination}[i]
		*spec = job.Cluster{User: "root", Database: s.name}
		spec.Host, spec.Port = split(t, c.FE(0).MySQLAddr())
		_, spec.ThriftPort = split(t, c.FE(0).ThriftAddr())
	}
	connector := replication.NewConnector(replication.Options{SettleTime: 20 * time.Millisecond})
	t.Cleanup(func() { _ = connector.Close() })
	s.connector = connector
	s.job = connector.Open(s.input.Spec, replication.Passwords{Source: password, Destination: password})
	t.Cleanup(s.job.Close)
	return s
}

func split(t *testing.T, addr string) (string, int) {
	host, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return host, n
}

func (s *scene) exec(side int, statement string) {
	s.t.Helper()
	statement = strings.ReplaceAll(statement, "DB.", "`"+s.name+"`.")
	_, err := s.db[side].Exec(statement)
	require.NoError(s.t, err, statement)
}

func (s *scene) both(statements ...string) {
	s.t.Helper()
	for _, statement := range statements {
		s.exec(0, statement)
		s.exec(1, statement)
	}
}

// tableID asks SHOW PROC for the id of a table.
func (s *scene) tableID(side int, table string) int64 {
	s.t.Helper()
	columnOf := func(path, nameColumn, idColumn, name string) string {
		rows, err := s.db[side].Query("SHOW PROC '" + path + "'")
		require.NoError(s.t, err)
		defer rows.Close()
		names, err := rows.Columns()
		require.NoError(s.t, err)
		for rows.Next() {
			cells, targets := make([]sql.NullString, len(names)), make([]any, len(names))
			for i := range cells {
				targets[i] = &cells[i]
			}
			require.NoError(s.t, rows.Scan(targets...))
			row := map[string]string{}
			for i, n := range names {
				row[n] = cells[i].String
			}
			if row[nameColumn] == name {
				return row[idColumn]
			}
		}
		s.t.Fatalf("%s has no %s", path, name)
		return ""
	}
	db := columnOf("/dbs", "DbName", "DbId", s.name)
	id, err := strconv.ParseInt(columnOf("/dbs/"+db, "TableName", "TableId", table), 10, 64)
	require.NoError(s.t, err)
	return id
}

// known makes the table one of the job's.
func (s *scene) known(table string) int64 {
	id := s.tableID(0, table)
	s.input.Progress.Tables[id] = job.Table{Name: table, DestID: s.tableID(1, table)}
	return id
}

// verify compares the table.
func (s *scene) verify(table string) job.VerifiedTable {
	s.t.Helper()
	return s.verifyTarget(job.VerifyTarget{ID: s.known(table), Name: table})
}

func (s *scene) verifyTarget(target job.VerifyTarget) job.VerifiedTable {
	s.t.Helper()
	s.request.Method = s.method
	got, err := s.job.VerifyTable(ctx, s.input, job.VerifyTableInput{
		Job: s.name, Request: s.request, Target: target,
	}, verify.Hooks{
		Report:   func(_ string, p job.Verifying) { s.reports = append(s.reports, p) },
		Before:   s.before,
		CaughtUp: func(context.Context) (int64, bool, error) { return 7, s.caught, nil },
	})
	require.NoError(s.t, err)
	return got
}

const once = `PROPERTIES ("replication_num" = "1")`

// TestDifferences: a table of each model with rows of all types, and one thing that is
// different on the destination.
func TestDifferences(t *testing.T) {
	const (
		duplicate = "CREATE TABLE DB.t (`k` INT NOT NULL, `s` VARCHAR(20) NULL, `n` BIGINT NULL) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 3 " + once
		unique    = "CREATE TABLE DB.t (`k` INT NOT NULL, `s` VARCHAR(20) NULL, `n` BIGINT NULL) UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 3 " + once
		ranges    = "CREATE TABLE DB.t (`k` INT NOT NULL, `s` VARCHAR(20) NULL) DUPLICATE KEY(`k`) PARTITION BY RANGE(`k`) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) DISTRIBUTED BY HASH(`k`) BUCKETS 2 " + once
		rows      = "INSERT INTO DB.t (`k`, `s`) VALUES (1, 'a'), (2, ''), (3, NULL), (4, 'd'), (11, 'e'), (12, 'f')"
	)
	for name, c := range map[string]struct {
		create string
		plant  string // on the destination
		kind   string // "" if they are equal
		text   string
		keys   []string
		cols   []string
	}{
		"nothing":         {create: duplicate},
		"nothing, unique": {create: unique},
		"nothing, ranges": {create: ranges},
		"a row more":      {create: duplicate, plant: "INSERT INTO DB.t (`k`, `s`) VALUES (50, 'x')", kind: "rows", text: "6 rows, the destination 7", keys: []string{"50: extra on the destination"}},
		"a row twice":     {create: duplicate, plant: "INSERT INTO DB.t (`k`, `s`) VALUES (4, 'd')", kind: "rows", keys: []string{"4: doubled: 1 on the source, 2 on the destination"}},
		"a row less":      {create: unique, plant: "DELETE FROM DB.t WHERE k = 2", kind: "rows", keys: []string{"2: missing on the destination"}},
		"a changed row":   {create: unique, plant: "INSERT INTO DB.t (`k`, `s`) VALUES (4, 'D')", kind: "content", cols: []string{"s"}, keys: []string{"4: changed"}},
		"NULL for empty":  {create: unique, plant: "INSERT INTO DB.t (`k`, `s`) VALUES (2, NULL)", kind: "content", cols: []string{"s"}, keys: []string{"2: changed"}},
		"empty for NULL":  {create: unique, plant: "INSERT INTO DB.t (`k`, `s`) VALUES (3, '')", kind: "content", cols: []string{"s"}},
		"a number":        {create: unique, plant: "INSERT INTO DB.t VALUES (3, NULL, 0)", kind: "content", cols: []string{"n"}},
		"in a partition":  {create: ranges, plant: "INSERT INTO DB.t VALUES (13, 'x')", kind: "rows", text: "partition p2", keys: []string{"13: extra on the destination"}},
		"a partition":     {create: ranges, plant: "ALTER TABLE DB.t ADD PARTITION p3 VALUES LESS THAN ('30')", kind: "partitions", text: "only the destination has the partition p3"},
		"a column":        {create: duplicate, plant: "ALTER TABLE DB.t ADD COLUMN `w` INT NULL", kind: "definition", text: "only the second has"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.both(c.create, rows)
			if c.plant != "" {
				s.exec(1, c.plant)
			}
			got := s.verify("t")
			if c.kind == "" {
				require.Equal(t, job.VerifyEqual, got.Outcome, "%+v", got)
				require.Equal(t, int64(6), got.SourceRows)
				return
			}
			require.Equal(t, job.VerifyDifferent, got.Outcome, "%+v", got)
			require.Len(t, got.Differences, 1, "%+v", got.Differences)
			d := got.Differences[0]
			require.Equal(t, c.kind, d.Kind, "%+v", d)
			require.Contains(t, d.Text, c.text)
			require.Equal(t, c.cols, d.Columns)
			if c.keys != nil {
				require.Equal(t, c.keys, d.Keys)
			}
			if c.kind == "rows" || c.kind == "content" {
				require.Len(t, d.Buckets, 1, "%+v", d)
			}
		})
	}
}
