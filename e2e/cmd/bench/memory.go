package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// memoryPart says how large the database is whose full sync is measured.
type memoryPart struct {
	tables, tablets int
	// heap is the file for the worker's heap profile near its peak, "" for none.
	heap string
}

// withRow is how many of the tables have a row: enough to see that rows arrive, few
// enough to be made soon.
const withRow = 100

// run measures what a full sync of many tablets costs a worker that does nothing
// else: API server and Temporal are processes of their own.
func (m memoryPart) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "ccr-bench-")
	if err != nil {
		return fmt.Errorf("bench directory: %w", err)
	}
	defer os.RemoveAll(dir)
	pair, err := harness.StartPair(ctx, harness.PairOptions{BEs: 1, LateFiling: &core.LateFiling{}})
	if err != nil {
		return err
	}
	defer pair.Close()
	begun := time.Now()
	if err := makeTablets(ctx, pair, m); err != nil {
		return err
	}
	fmt.Printf("  %d tables with %d tablets are made, %s\n", m.tables, m.tablets, time.Since(begun).Round(time.Second))
	temporal, address, err := harness.StartEmbeddedTemporal(ctx, dir, "")
	if err != nil {
		return err
	}
	defer temporal.Kill()
	fleet := &harness.Fleet{Dir: dir, Temporal: address}
	defer func() { err = errors.Join(err, fleet.Stop()) }()
	if err := fleet.AddAPI(ctx); err != nil {
		return err
	}
	ports, err := harness.FreePorts(1)
	if err != nil {
		return err
	}
	profiles := "127.0.0.1:" + strconv.Itoa(ports[0])
	if err := fleet.AddWorker(ctx, "--pprof-listen", profiles); err != nil {
		return err
	}
	worker := fleet.Workers[0]
	rest, err := peakRSS(worker.PID())
	if err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	heap := heapWatch{address: worker.Address, profiles: profiles, file: m.heap}
	var watch sync.WaitGroup
	watch.Go(func() { heap.run(watching) })
	took, err := fullSync(ctx, pair, fleet.APIs[0].CCR)
	stop()
	watch.Wait()
	if err != nil {
		return err
	}
	if err := heap.err; err != nil {
		return err
	}
	peak, err := peakRSS(worker.PID())
	if err != nil {
		return err
	}
	fmt.Printf("  full sync of %d tables, %d tablets: %s; worker at rest %d MB, at its peak %d MB resident, %d MB of heap\n", m.tables, m.tablets,
		took.Round(time.Millisecond), rest>>20, peak>>20, heap.peak>>20)
	return nil
}

// makeTablets makes database w of the source: tables of as many buckets as it takes.
func makeTablets(ctx context.Context, pair *harness.Pair, m memoryPart) error {
	src, err := pair.Source.Open("")
	if err != nil {
		return err
	}
	defer src.Close()
	return makeTables(ctx, src, m.tables, max(1, m.tablets/m.tables), withRow)
}

// makeTables makes database w with so many tables of so many buckets, some with a row.
func makeTables(ctx context.Context, src *sql.DB, tables, buckets, rows int) error {
	if _, err := src.ExecContext(ctx, "CREATE DATABASE w"); err != nil {
		return fmt.Errorf("create database w: %w", err)
	}
	var g errgroup.Group
	g.SetLimit(8)
	for i := range tables {
		g.Go(func() error {
			_, err := src.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE w.t%d (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS %d
				PROPERTIES ("replication_num" = "1", "binlog.enable" = "true", "light_schema_change" = "true")`, i, buckets))
			if err != nil || i >= rows {
				return err
			}
			_, err = src.ExecContext(ctx, fmt.Sprintf("INSERT INTO w.t%d VALUES (1, 'a row')", i))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("create the tables of database w: %w", err)
	}
	if _, err := src.ExecContext(ctx, `ALTER DATABASE w SET PROPERTIES ("binlog.enable" = "true")`); err != nil {
		return fmt.Errorf("switch the binlogs of database w on: %w", err)
	}
	return nil
}

// fullSync makes the job, waits until it streams, and looks whether rows have arrived.
func fullSync(ctx context.Context, pair *harness.Pair, ccr *harness.CCR) (time.Duration, error) {
	begun := time.Now()
	if _, err := ccr.Call(ctx, "create_ccr", map[string]any{"name": "memory",
		"src": pair.Source.Spec("w", ""), "dest": pair.Destination.Spec("w", "")}); err != nil {
		return 0, err
	}
	if err := streams(ctx, ccr, "memory"); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	dst, err := pair.Destination.Open("w")
	if err != nil {
		return 0, err
	}
	defer dst.Close()
	var n int
	if err := dst.QueryRowContext(ctx, "SELECT COUNT(*) FROM t0").Scan(&n); err != nil || n != 1 {
		return 0, fmt.Errorf("table t0 has %d rows on the destination, not the source's one: %w", n, err)
	}
	return took, nil
}

// streams waits until the database job does.
func streams(ctx context.Context, ccr *harness.CCR, name string) error {
	return harness.AwaitEvery(ctx, 100*time.Millisecond, 30*time.Minute, func(ctx context.Context) error {
		s, err := ccr.Status(ctx, name)
		if err == nil && s.ProgressState != "DBIncrementalSync" {
			err = fmt.Errorf("job %s is in %s: %s", name, s.ProgressState, s.LastError.Text)
		}
		return err
	})
}

// peakRSS is the most memory that the process has had resident.
func peakRSS(pid int) (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("peak memory: %w", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("peak memory of process %d: no VmHWM", pid)
}

// heapWatch looks at the worker's heap until its context ends.
type heapWatch struct {
	address, profiles, file string

	peak     int64 // bytes
	profiled int64 // the heap when the profile was taken
	err      error // of taking the profile
}

// heapLook is the time between two looks.
const heapLook = 100 * time.Millisecond

func (h *heapWatch) run(ctx context.Context) {
	for ctx.Err() == nil {
		now, err := harness.Metric(ctx, h.address, "go_memstats_heap_alloc_bytes")
		if err == nil {
			h.peak = max(h.peak, int64(now))
		}
		// A profile is of the last collection: each new height of some size has one.
		if h.file != "" && h.peak > h.profiled+h.profiled/10 {
			h.profiled = h.peak
			h.err = save(ctx, "http://"+h.profiles+"/debug/pprof/heap", h.file)
		}
		select {
		case <-ctx.Done():
		case <-time.After(heapLook):
		}
	}
}

// save writes what an address answers into a file.
func save(ctx context.Context, url, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("heap profile: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if ctx.Err() != nil {
		return nil // measured enough
	}
	if err != nil {
		return fmt.Errorf("heap profile: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		err = os.WriteFile(file, body, 0o644)
	}
	if err != nil {
		return fmt.Errorf("heap profile: %w", err)
	}
	return nil
}
