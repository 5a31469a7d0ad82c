package e2e

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// run executes statements on the source, in the scenario's database; {db} is
// its name.
func run(statements ...string) step {
	return func(ctx context.Context, s *scene) error {
		for _, statement := range statements {
			statement = strings.ReplaceAll(statement, "{db}", s.srcDB)
			if _, err := s.src.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("source: %s: %w", statement, err)
			}
		}
		return nil
	}
}

// session is run in one connection, for session variables and transactions.
func session(statements ...string) step {
	return func(ctx context.Context, s *scene) error {
		conn, err := s.src.Conn(ctx)
		if err != nil {
			return err
		}
		// Its variables must not come back: the pool does not reset them.
		defer func() { _ = conn.Raw(func(any) error { return driver.ErrBadConn }) }()
		for _, statement := range statements {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("source: %s: %w", statement, err)
			}
		}
		return nil
	}
}

// transaction runs statements between BEGIN and COMMIT. Doris 2.1 has no
// sub-transactions (doris-binlogs.md 3.9): there each statement is refused in a
// transaction, and then played without.
func transaction(statements ...string) step {
	if dorisVersion() != core.Version21 {
		return session(append(append([]string{"BEGIN"}, statements...), "COMMIT")...)
	}
	return func(ctx context.Context, s *scene) error {
		for _, statement := range statements {
			if err := refusedInTransaction("This is in a transaction, only insert, commit, rollback is acceptable.", statement)(ctx, s); err != nil {
				return err
			}
			if err := run(statement)(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
}

// refusedInTransaction runs statements after BEGIN, of which the source does not
// take the last, checks its text, and rolls back.
func refusedInTransaction(text string, statements ...string) step {
	last := len(statements) - 1
	return func(ctx context.Context, s *scene) error {
		conn, err := s.src.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, statement := range append([]string{"BEGIN"}, statements[:last]...) {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("source: %s: %w", statement, err)
			}
		}
		if _, err := conn.ExecContext(ctx, statements[last]); err == nil || !strings.Contains(err.Error(), text) {
			return fmt.Errorf("source: %s in a transaction was not refused with %q: %w", statements[last], text, err)
		}
		_, err = conn.ExecContext(ctx, "ROLLBACK")
		return err
	}
}

// refused runs a statement that the source does not take, and checks its text.
func refused(text, statement string) step {
	return func(ctx context.Context, s *scene) error {
		err := run(statement)(ctx, s)
		if err == nil || !strings.Contains(err.Error(), text) {
			return fmt.Errorf("source: %s was not refused with %q: %w", statement, text, err)
		}
		return nil
	}
}

// sinceNew runs a statement that works since new. An older source refuses it,
// with this text.
func sinceNew(text, statement string) step {
	if old() {
		return refused(text, statement)
	}
	return run(statement)
}

// onDestination executes statements on the destination; {db} is its database.
func onDestination(statements ...string) step {
	return func(ctx context.Context, s *scene) error {
		for _, statement := range statements {
			statement = strings.ReplaceAll(statement, "{db}", s.dstDB)
			if _, err := s.dst.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("destination: %s: %w", statement, err)
			}
		}
		return nil
	}
}

// insert writes n new rows, each in a transaction of its own, into a table that
// has columns id and v. Ids begin at 1 and stay below 100.
func insert(table string, n int) step {
	return func(ctx context.Context, s *scene) error {
		for range n {
			id := s.values.Add(1)
			if err := run(fmt.Sprintf("INSERT INTO %s (id, v) VALUES (%d, 'row %d')", table, id%100, id))(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
}

// schemaChange is the catalogue's SC: a key column is added in front, which
// rewrites the table; the step ends when the source says FINISHED.
func schemaChange(table string) step {
	return func(ctx context.Context, s *scene) error {
		s.alters++
		statement := fmt.Sprintf("ALTER TABLE %s ADD COLUMN key_%d INT KEY DEFAULT \"0\" FIRST", table, s.alters)
		if err := run(statement)(ctx, s); err != nil {
			return err
		}
		return altered(ctx, s)
	}
}

// altered waits until the source's ALTER jobs and index builds have ended.
func altered(ctx context.Context, s *scene) error {
	return harness.Await(ctx, s.patience, func(ctx context.Context) error {
		for _, kind := range []string{"ALTER TABLE COLUMN", "ALTER TABLE ROLLUP", "BUILD INDEX"} {
			states, err := column(ctx, s.src, fmt.Sprintf("SHOW %s FROM `%s`", kind, s.srcDB), "State")
			if err != nil {
				return err
			}
			for _, state := range states {
				if state != "FINISHED" && state != "CANCELLED" {
					return fmt.Errorf("SHOW %s: a job is %s", kind, state)
				}
			}
		}
		return nil
	})
}

// altering runs a statement that starts a job on the source and waits for it.
func altering(statements ...string) step {
	return func(ctx context.Context, s *scene) error {
		for _, statement := range statements {
			if err := run(statement)(ctx, s); err != nil {
				return err
			}
			if err := altered(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
}

func pause(ctx context.Context, s *scene) error  { return s.command(ctx, "pause", nil) }
func resume(ctx context.Context, s *scene) error { return s.command(ctx, "resume", nil) }

// forceFull orders a full sync.
func forceFull(ctx context.Context, s *scene) error { return s.command(ctx, "force_fullsync", nil) }

func (s *scene) command(ctx context.Context, operator string, more map[string]any) error {
	body := map[string]any{"name": s.job}
	for k, v := range more {
		body[k] = v
	}
	_, err := s.ccr.Call(ctx, operator, body)
	return err
}

// synced waits until both sides are equal.
func synced(ctx context.Context, s *scene) error { return s.settle(ctx) }

// fullSyncs waits until the job has made n full syncs and goes on.
func fullSyncs(n int64) step {
	return func(ctx context.Context, s *scene) error {
		return harness.AwaitEvery(ctx, lookEvery, s.patience, func(ctx context.Context) error {
			status, err := s.ccr.Status(ctx, s.job)
			if err == nil && (status.FullSyncs < n || !strings.Contains(status.ProgressState, "IncrementalSync")) {
				err = fmt.Errorf("%d full syncs, %s", status.FullSyncs, status.ProgressState)
			}
			return err
		})
	}
}

// counts checks how many rows tables of the destination have.
func counts(want map[string]int) step {
	return func(ctx context.Context, s *scene) error {
		for table, n := range want {
			rows, err := harness.Content(ctx, s.dst, s.dstDB, table)
			if err != nil {
				return err
			}
			if len(rows) != n {
				return fmt.Errorf("the destination's %s has %d rows, want %d: %v", table, len(rows), n, rows)
			}
		}
		return nil
	}
}

// followed tells the comparison that the table of a table job has another name.
func followed(name string) step {
	return func(_ context.Context, s *scene) error {
		s.current = name
		return nil
	}
}

// destinationHas waits until SHOW CREATE TABLE of the destination contains text.
func destinationHas(table, text string) step {
	return func(ctx context.Context, s *scene) error {
		return harness.AwaitEvery(ctx, lookEvery, s.patience, func(ctx context.Context) error {
			got, err := createText(ctx, s.dst, s.dstDB, table)
			if err == nil && !strings.Contains(got, text) {
				err = fmt.Errorf("no %s in %s", text, got)
			}
			return err
		})
	}
}

// watch reads tables of the destination until the end of the scenario: each
// read has to succeed.
func watch(tables ...string) step {
	return func(ctx context.Context, s *scene) error {
		done := make(chan struct{})
		var readers sync.WaitGroup
		readers.Go(func() {
			for {
				for _, table := range tables {
					if _, err := harness.Content(ctx, s.dst, s.dstDB, table); err != nil && ctx.Err() == nil {
						s.unreadable.CompareAndSwap(nil, &err)
					}
				}
				select {
				case <-done:
					return
				case <-time.After(time.Millisecond):
				}
			}
		})
		s.stopWatching = sync.OnceFunc(func() {
			close(done)
			readers.Wait()
		})
		return nil
	}
}

// faulty switches a fault of a cluster on.
func faulty(side func(*harness.Pair) *harness.Cluster, rule faults.Rule) step {
	return func(_ context.Context, s *scene) error {
		_, err := side(s.pair).Faults().Add(rule)
		return err
	}
}

// held makes the source wait at a fault point as soon as it gets there, until it
// is released: what is done in between happens at that very moment.
func held(point string) step {
	return func(_ context.Context, s *scene) error {
		id, err := s.pair.Source.Faults().Add(faults.Rule{Point: point, Action: faults.Hold, Count: 1})
		s.held[point] = id
		return err
	}
}

// reached waits until the source is held at the point.
func reached(point string) step {
	return func(ctx context.Context, s *scene) error {
		return harness.Await(ctx, s.patience, func(context.Context) error {
			for _, rule := range s.pair.Source.Faults().List() {
				if rule.ID == s.held[point] && rule.Hits > 0 {
					return nil
				}
			}
			return fmt.Errorf("the source has not got to %s", point)
		})
	}
}

func released(point string) step {
	return func(_ context.Context, s *scene) error {
		if !s.pair.Source.Faults().Remove(s.held[point]) {
			return fmt.Errorf("%s was not held", point)
		}
		return nil
	}
}

// healthy switches all faults off.
func healthy(_ context.Context, s *scene) error {
	s.pair.Source.Faults().Clear()
	s.pair.Destination.Faults().Clear()
	return nil
}

func destination(p *harness.Pair) *harness.Cluster { return p.Destination }

// stalled waits until the job says that it is stuck.
func stalled(ctx context.Context, s *scene) error {
	return harness.AwaitEvery(ctx, lookEvery, s.patience, func(ctx context.Context) error {
		status, err := s.ccr.Status(ctx, s.job)
		if err == nil && !status.Stalled {
			err = errors.New("not stalled")
		}
		return err
	})
}

// killAndRestart ends ccr as a crash would, once the destination shows the rows.
func killAndRestart(table string, rows int) step {
	return func(ctx context.Context, s *scene) error {
		err := harness.AwaitEvery(ctx, lookEvery, s.patience, func(ctx context.Context) error {
			return counts(map[string]int{table: rows})(ctx, s)
		})
		if err != nil {
			return err
		}
		s.ccr.Kill()
		if err := healthy(ctx, s); err != nil {
			return err
		}
		return s.ccr.Start(ctx)
	}
}

// stuckAt is the number of the binlog on which the job is stuck.
func (s *scene) stuckAt(ctx context.Context) (int64, error) {
	_, text, err := s.ccr.Raw(ctx, "job_status", fmt.Sprintf(`{"name":%q}`, s.job))
	if err != nil {
		return 0, err
	}
	var reply struct {
		LastError struct {
			CommitSeq int64 `json:"commit_seq"`
		} `json:"last_error"`
	}
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		return 0, fmt.Errorf("job_status: %w: %s", err, text)
	}
	if reply.LastError.CommitSeq <= 0 {
		return 0, fmt.Errorf("the error names no binlog: %s", text)
	}
	return reply.LastError.CommitSeq, nil
}

// restoredOnly checks that the destination's last restore was of nothing but
// these partitions of the table.
func restoredOnly(table string, partitions ...string) step {
	return func(ctx context.Context, s *scene) error {
		objects, err := column(ctx, s.dst, fmt.Sprintf("SHOW RESTORE FROM `%s`", s.dstDB), "RestoreObjs")
		if err != nil {
			return err
		}
		if len(objects) == 0 {
			return errors.New("there was no restore")
		}
		last := objects[len(objects)-1]
		if !strings.Contains(last, table) {
			return fmt.Errorf("the last restore was of %s", last)
		}
		for i := range 9 {
			name := fmt.Sprintf("p%d", i)
			if got, want := strings.Contains(last, `"`+name+`"`), contains(partitions, name); got != want {
				return fmt.Errorf("the last restore was of %s, want %v of %s only", last, partitions, table)
			}
		}
		return nil
	}
}

// sameColumn checks that a statement shows the same column on both sides; {db}
// is the side's database.
func sameColumn(statement, name string) step {
	return func(ctx context.Context, s *scene) error {
		want, err := column(ctx, s.src, strings.ReplaceAll(statement, "{db}", s.srcDB), name)
		if err != nil {
			return err
		}
		got, err := column(ctx, s.dst, strings.ReplaceAll(statement, "{db}", s.dstDB), name)
		if err != nil {
			return err
		}
		if !slices.Equal(want, got) {
			return fmt.Errorf("%s: %s is %v on the source, %v on the destination", statement, name, want, got)
		}
		return nil
	}
}

// sameBuckets compares the number of tablets per partition.
func sameBuckets(table string) step {
	return sameColumn("SHOW PARTITIONS FROM {db}."+table, "Buckets")
}

// sameIndexes compares rollups: SHOW CREATE TABLE does not print the added ones.
func sameIndexes(table string) step {
	return func(ctx context.Context, s *scene) error {
		if err := synced(ctx, s); err != nil {
			return err
		}
		return sameColumn("DESC {db}."+table+" ALL", "IndexName")(ctx, s)
	}
}
