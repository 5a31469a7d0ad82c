package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

const replicatedTable = `CREATE TABLE %s.%s (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id)
		DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "%d")`

// tablets returns the tablets of a table and, in the same order, the backends of
// their replicas.
func (e *env) tablets(db *sql.DB, table string) (ids, backends []int64) {
	e.Helper()
	for name, list := range map[string]*[]int64{"TabletId": &ids, "BackendId": &backends} {
		texts, err := column(e.ctx, db, "SHOW TABLETS FROM "+table, name)
		require.NoError(e, err)
		for _, text := range texts {
			n, err := strconv.ParseInt(text, 10, 64)
			require.NoError(e, err)
			*list = append(*list, n)
		}
	}
	return ids, backends
}

// member is the address by which ALTER SYSTEM names a backend.
func (e *env) member(db *sql.DB, backend int64) string {
	e.Helper()
	var found [3][]string
	for i, name := range []string{"BackendId", "Host", "HeartbeatPort"} {
		var err error
		found[i], err = column(e.ctx, db, "SHOW BACKENDS", name)
		require.NoError(e, err)
	}
	at := slices.Index(found[0], strconv.FormatInt(backend, 10))
	require.GreaterOrEqual(e, at, 0, "no backend %d", backend)
	return found[1][at] + ":" + found[2][at]
}

// awaitEvent waits until the job's events have a text.
func (e *env) awaitEvent(job, text string) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(context.Context) error {
		if events := e.eventsOf(job); !strings.Contains(events, text) {
			return fmt.Errorf("no event says %q: %s", text, events)
		}
		return nil
	}))
}

// Replicas of the destination that are bad or being cloned hold nothing up: the
// others are a quorum, and an event tells (doris-rpc.md 3.3).
func TestReplicasThatCannotTakePart(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 4})
	e.exec("CREATE DATABASE d", fmt.Sprintf(replicatedTable, "d", "bad", 3), fmt.Sprintf(replicatedTable, "d", "moved", 1))
	e.enableBinlog("d", "bad", "moved")
	e.exec("INSERT INTO d.bad VALUES (1, 'a')", "INSERT INTO d.moved VALUES (1, 'a')")
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")

	held := e.fault(e.pair.Destination, faults.Rule{Point: "clone", Action: faults.Hold})
	ids, backends := e.tablets(e.dst, "d.bad")
	require.NoError(t, e.pair.Destination.Core().BreakReplica(ids[0], backends[0]))
	e.exec("INSERT INTO d.bad VALUES (2, 'without one')")
	e.awaitEqual(job, "d", "d")
	e.awaitEvent(job, fmt.Sprintf("goes on with 2 of the 3 replicas of tablet %d", ids[0]))

	ids, backends = e.tablets(e.dst, "d.moved")
	_, err := e.dst.ExecContext(e.ctx, fmt.Sprintf(`ALTER SYSTEM DECOMMISSION BACKEND "%s"`, e.member(e.dst, backends[0])))
	require.NoError(t, err)
	require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
		if both, _ := e.tablets(e.dst, "d.moved"); len(both) != 2 {
			return errors.New("the replica is not being cloned yet")
		}
		return nil
	}))
	// Metadata of before knows nothing of the clone: the job has to read it anew.
	e.exec(`ALTER TABLE d.moved SET ("binlog.ttl_seconds" = "80000")`, "INSERT INTO d.moved VALUES (2, 'meanwhile')", "INSERT INTO d.bad VALUES (3, 'meanwhile')")
	e.awaitEqual(job, "d", "d")
	e.exec(`ALTER TABLE d.moved SET ("binlog.ttl_seconds" = "70000")`) // a shift ends, and tells
	e.awaitEvent(job, fmt.Sprintf("goes on with 1 of the 2 replicas of tablet %d", ids[0]))
	held.end()
	e.awaitEqual(job, "d", "d")
	require.NotContains(t, e.eventsOf(job), "cannot go on")
	e.requireFullSyncs(job, 1)
}

// Backends come and go on either side while loads run: nothing stands.
func TestBackendsComeAndGo(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 3})
	e.exec("CREATE DATABASE d", fmt.Sprintf(replicatedTable, "d", "one", 1), fmt.Sprintf(replicatedTable, "d", "two", 2))
	e.enableBinlog("d", "one", "two")
	job := e.createJob("d", "", "d", "")
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	stop := e.writeForever("d", "one", "two")
	for _, side := range []struct {
		cluster *harness.Cluster
		db      *sql.DB
	}{{e.pair.Destination, e.dst}, {e.pair.Source, e.src}} {
		_, backends := e.tablets(side.db, "d.one")
		leaving := e.member(side.db, backends[0])
		_, address, err := side.cluster.StartBE()
		require.NoError(t, err)
		for _, statement := range []string{`ALTER SYSTEM ADD BACKEND "%s"`, `ALTER SYSTEM DECOMMISSION BACKEND "%s"`} {
			_, err = side.db.ExecContext(e.ctx, fmt.Sprintf(statement, address))
			require.NoError(t, err)
			address = leaving
		}
		require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
			ids, err := column(ctx, side.db, "SHOW BACKENDS", "BackendId")
			if err == nil && slices.Contains(ids, strconv.FormatInt(backends[0], 10)) {
				err = errors.New("the backend is still there")
			}
			return err
		}))
		before := e.commitSeq(job)
		require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
			if now := e.commitSeq(job); now < before+20 {
				return fmt.Errorf("at %d, was at %d", now, before)
			}
			return nil
		}))
	}
	t.Logf("%d rows written", stop())
	e.awaitEqual(job, "d", "d")
	require.NotContains(t, e.eventsOf(job), "cannot go on")
	e.requireFullSyncs(job, 1)
}

// The rows of a binlog are gone on a source replica: another one has them. They
// are gone on all: the table comes by a snapshot (doris-rpc.md 4.3).
func TestRowsOfBinlogsAreGone(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE d", fmt.Sprintf(replicatedTable, "d", "t", 2), fmt.Sprintf(replicatedTable, "d", "u", 2))
	e.enableBinlog("d", "t", "u")
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")
	tablets, _ := e.tablets(e.src, "d.t")
	for gone := range 2 {
		refused := e.fault(e.pair.Destination, faults.Rule{Point: "fe.beginTxn", Action: faults.Fail, Message: "refused by the test"})
		e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'its binlog is lost')", gone), fmt.Sprintf("INSERT INTO d.u VALUES (%d, 'kept')", gone))
		for i := range gone + 1 {
			e.pair.Source.BE(i).ReleaseBinlogs(tablets[0], math.MaxInt64)
		}
		refused.struck()
		refused.end()
		e.awaitEqual(job, "d", "d")
		s, err := e.ccr.Status(e.ctx, job)
		require.NoError(t, err)
		require.Equal(t, int64(gone), s.PartialSyncs)
	}
	require.Contains(t, e.eventsOf(job), "no replica on the source has the rows of version")
	e.requireFullSyncs(job, 1)
}

// A destination table is dropped while a transaction of the job is open on it: the
// transaction can be neither committed nor rolled back, for minutes. The job goes
// on at once, with other labels (doris-rpc.md 3.9).
func TestDestinationTableDroppedUnderATransaction(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	e.exec("INSERT INTO d.t VALUES (1, 'a')", "INSERT INTO d.u VALUES (1, 'a')")
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")

	held := e.fault(e.pair.Destination, faults.Rule{Point: "be.ingest_binlog", Action: faults.Hold})
	e.exec("INSERT INTO d.t VALUES (2, 'b')", "INSERT INTO d.u VALUES (2, 'b')")
	held.struck()
	e.execDestination("DROP TABLE d.t FORCE")
	held.end()
	e.awaitEqual(job, "d", "d")
	open, err := column(e.ctx, e.dst, `SHOW TRANSACTION FROM d WHERE label LIKE 'ccrj-%'`, "TransactionStatus")
	require.NoError(t, err)
	require.Contains(t, open, "PREPARE", "nothing has been tested")
	require.Contains(t, e.eventsOf(job), "neither committed nor rolled back")
	e.exec("INSERT INTO d.t VALUES (3, 'c')", "INSERT INTO d.u VALUES (3, 'c')")
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}
