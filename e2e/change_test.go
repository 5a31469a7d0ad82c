package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

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
		for i := 1; ctx.Err() == nil; i++ {
			// The statement is carried out whole: a cancelled one may or may not be.
			if _, err := e.src.ExecContext(e.ctx, fmt.Sprintf("INSERT INTO %s VALUES (%d, 'row %d')", table, i, i)); err != nil {
				l.err = err
				return
			}
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
