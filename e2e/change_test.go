package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// loading inserts rows into a table of the source, one after the other, until it is
// told to stop.
type loading struct {
	stop context.CancelFunc
	done sync.WaitGroup
	err  error
}

func (e *env) load(table string) *loading {
	ctx, stop := context.WithCancel(e.ctx)
	l := &loading{stop: stop}
	l.done.Go(func() {
		often := time.NewTicker(20 * time.Millisecond)
		defer often.Stop()
		for i := 1; ctx.Err() == nil; i++ {
			// The statement is carried out whole: a cancelled one may or may not be.
			if _, err := e.src.ExecContext(e.ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d, 'row %d')", table, i, i)); err != nil {
				l.err = err
				return
			}
			<-often.C
		}
	})
	e.Cleanup(l.end)
	return l
}

func (l *loading) end() {
	l.stop()
	l.done.Wait()
}

// The passwords of both accounts are changed while loads run. The job says what to do,
// and when it is told goes on where it was.
func TestCredentialsAreRotated(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("CREATE USER 'reader' IDENTIFIED BY 'old'", "GRANT SELECT_PRIV, LOAD_PRIV, SHOW_VIEW_PRIV ON d.* TO 'reader'")
	e.execDestination("CREATE DATABASE d", "CREATE USER 'writer' IDENTIFIED BY 'old'",
		"GRANT SELECT_PRIV, LOAD_PRIV, ALTER_PRIV, CREATE_PRIV, DROP_PRIV ON d.* TO 'writer'")
	src, dest := e.pair.Source.Spec("d", ""), e.pair.Destination.Spec("d", "")
	src["user"], src["password"], dest["user"], dest["password"] = "reader", "old", "writer", "old"
	name := e.jobName()
	_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name, "src": src, "dest": dest})
	require.NoError(t, err)
	e.endWithTest(name)
	loads := e.load("d.t")
	e.awaitState(name, "DBIncrementalSync")

	e.exec("SET PASSWORD FOR 'reader' = PASSWORD('new')")
	e.execDestination("SET PASSWORD FOR 'writer' = PASSWORD('new')")
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, name)
		if err == nil && !s.Stalled {
			err = errors.New("the job is not stalled")
		}
		return err
	}))
	change := func(src, dest string) error {
		_, err := e.ccr.Call(e.ctx, "update_credentials", map[string]any{"name": name,
			"src": map[string]any{"password": src}, "dest": map[string]any{"password": dest}})
		return err
	}
	require.ErrorContains(t, change("new", "old"), "Access denied")
	require.ErrorContains(t, change("new", "old"), "correct dest.user and dest.password")
	require.NoError(t, change("new", "new"))
	loads.end()
	require.NoError(t, loads.err)
	e.awaitEqual(name, "d", "d")
	e.requireFullSyncs(name, 1)

	// Another account takes over from one that still works: nothing stalls.
	e.exec("CREATE USER 'other' IDENTIFIED BY 'its own'")
	_, err = e.ccr.Call(e.ctx, "update_credentials", map[string]any{"name": name, "src": map[string]any{"user": "other", "password": "its own"}})
	require.ErrorContains(t, err, "user other lacks Select_priv, Load_priv on database d")
	e.exec("GRANT SELECT_PRIV, LOAD_PRIV, SHOW_VIEW_PRIV ON d.* TO 'other'")
	_, err = e.ccr.Call(e.ctx, "update_credentials", map[string]any{"name": name, "src": map[string]any{"user": "other", "password": "its own"}})
	require.NoError(t, err)
	e.exec("DROP USER 'reader'", "INSERT INTO d.t VALUES (0, 'by another account')")
	e.awaitEqual(name, "d", "d")
	e.requireFullSyncs(name, 1)
	detail, err := e.ccr.Call(e.ctx, "job_detail", map[string]any{"name": name})
	require.NoError(t, err)
	shown := detail["job_detail"].(map[string]any)["src"].(map[string]any)
	require.Equal(t, "other", shown["user"])
	require.Equal(t, "******", shown["password"])
	e.recordHistory(name)
}

// Both clusters are reached at other frontends from now on, and the order of commits
// changes twice, while loads run. Another cluster is refused.
func TestHostsAndOptionsChange(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{FEs: 2})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	name := e.createJob("d", "", "d", "")
	e.awaitState(name, "DBIncrementalSync")
	loads, others := e.load("d.t"), e.load("d.u")
	address := func(c *harness.Cluster) map[string]any {
		host, port, err := net.SplitHostPort(c.FE(1).MySQLAddr())
		require.NoError(t, err)
		_, thrift, err := net.SplitHostPort(c.FE(1).ThriftAddr())
		require.NoError(t, err)
		return map[string]any{"host": host, "port": port, "thrift_port": thrift}
	}
	src, dest := address(e.pair.Source), address(e.pair.Destination)
	order := func(operator string, body map[string]any) error {
		body["name"] = name
		_, err := e.ccr.Call(e.ctx, operator, body)
		return err
	}
	require.ErrorContains(t, order("update_hosts", map[string]any{"src": dest, "force": true}), "is another cluster than the source of the job")
	require.NoError(t, order("update_hosts", map[string]any{"src": src, "dest": dest}))
	detail, err := e.ccr.Call(e.ctx, "job_detail", map[string]any{"name": name})
	require.NoError(t, err)
	for side, want := range map[string]map[string]any{"src": src, "dest": dest} {
		shown := detail["job_detail"].(map[string]any)[side].(map[string]any)
		require.Equal(t, want["port"], shown["port"])
		require.Equal(t, want["thrift_port"], shown["thrift_port"])
		require.Len(t, shown["frontends"], 2)
	}

	require.ErrorContains(t, order("update_options", map[string]any{"replication_num": 9}), "replication_num 9 is more than the destination's")
	for _, to := range []string{"per_table", "global"} {
		before := e.position(name)
		require.NoError(t, order("update_options", map[string]any{"commit_order": to, "replication_num": 1}))
		require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
			if now := e.position(name); now < before+20 {
				return fmt.Errorf("at commit seq %d, it was at %d", now, before)
			}
			return nil
		}))
	}
	loads.end()
	others.end()
	require.NoError(t, errors.Join(loads.err, others.err))
	e.awaitEqual(name, "d", "d")
	e.requireFullSyncs(name, 1)
	e.notStalled(name)
}

// position is how far a job is.
func (e *env) position(name string) int64 {
	e.Helper()
	progress, err := e.ccr.Call(e.ctx, "job_progress", map[string]any{"name": name})
	require.NoError(e, err)
	return harness.Int(progress["job_progress"].(map[string]any), "commit_seq")
}
