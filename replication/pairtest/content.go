package pairtest

import (
	"context"
	"fmt"
	"regexp"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Content is one side of a job as comparing sees it.
type Content struct {
	pair.Frontend
	pair.Database
	Table   *meta.Table
	Rows    map[string]int64 // by partition
	Column  string           // a column that the table has
	Formal  []string         // SHOW PARTITIONS
	Rollup  string
	OnCount func()
	Counted int // statements
}

// Close fakes the call.
func (c *Content) Close() error { return nil }

// Meta fakes the call.
func (c *Content) Meta(context.Context, fe.MetaRequest) (*meta.Database, error) {
	db := &meta.Database{ID: 1, Tables: map[int64]*meta.Table{}}
	if c.Table != nil {
		copied := *c.Table
		copied.Partitions = nil
		for _, p := range c.Table.Partitions {
			same := *p
			copied.Partitions = append(copied.Partitions, &same)
		}
		db.Tables[c.Table.ID] = &copied
	}
	return db, nil
}

// CreateTableText fakes the call.
func (c *Content) CreateTableText(_ context.Context, _, name string) (string, error) {
	return fmt.Sprintf("CREATE TABLE `%s` (\n  `id` int NULL,\n  `%s` int NULL\n) ENGINE=OLAP\nDUPLICATE KEY(`id`)\nDISTRIBUTED BY HASH(`id`) BUCKETS 1\nPROPERTIES (\n\"binlog.enable\" = \"true\"\n)", name, c.Column), nil
}

// Rollups fakes the call.
func (c *Content) Rollups(_ context.Context, _, table string) ([]string, error) {
	if c.Rollup != "" {
		return []string{table, c.Rollup}, nil
	}
	return []string{table}, nil
}

// Partitions fakes the call.
func (c *Content) Partitions(context.Context, string, string) ([]string, error) { return c.Formal, nil }

var counting = regexp.MustCompile("SELECT (\\d+) AS i, COUNT\\(\\*\\) AS n FROM `\\w+`.`(\\w+)`(?: PARTITION \\(`(\\w+)`\\))?")

// Query fakes the call.
func (c *Content) Query(_ context.Context, statement string) ([]sqlclient.Row, error) {
	c.Counted++
	var rows []sqlclient.Row
	for _, m := range counting.FindAllStringSubmatch(statement, -1) {
		name := m[3]
		if name == "" {
			name = m[2]
		}
		rows = append(rows, sqlclient.Row{"i": m[1], "n": fmt.Sprint(c.Rows[name])})
	}
	if c.OnCount != nil {
		c.OnCount()
	}
	return rows, nil
}

// VersionedPartition is a partition with a range and a visible version.
func VersionedPartition(id int64, name string, version int64) *meta.Partition {
	return &meta.Partition{ID: id, Name: name, Key: "range of " + name, VisibleVersion: version}
}

// Sides are a table with two partitions, the same on both sides.
func Sides() (source, destination *Content) {
	source = &Content{Column: "v", Rows: map[string]int64{"p1": 3, "p2": 5}, Table: &meta.Table{ID: 10, Name: "t", Partitions: []*meta.Partition{VersionedPartition(101, "p1", 4), VersionedPartition(102, "p2", 7)}}}
	destination = &Content{Column: "v", Rows: map[string]int64{"p1": 3, "p2": 5}, Table: &meta.Table{ID: 20, Name: "t", Partitions: []*meta.Partition{VersionedPartition(201, "p1", 4), VersionedPartition(202, "p2", 7)}}}
	return source, destination
}

// Comparing is a job between two tables.
func Comparing(source, destination *Content) *pair.Job {
	c := pair.NewConnector(pair.Options{})
	spec := DatabaseSpec()
	return &pair.Job{
		Connector: c, Options: &c.Options, Spec: *spec, Log: c.Options.Logger,
		Source:      &pair.Cluster{Side: "source", Spec: spec.Source, FE: source, SQL: source},
		Destination: &pair.Cluster{Side: "destination", Spec: spec.Destination, FE: destination, SQL: destination},
	}
}
