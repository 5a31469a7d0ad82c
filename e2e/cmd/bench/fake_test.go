package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// TestMain runs the fake syncer instead of the tests when it is told to: the test binary
// is the contender.
func TestMain(m *testing.M) {
	if address := os.Getenv("BENCH_FAKE_SYNCER"); address != "" {
		f := &fakeSyncer{refuses: os.Getenv("BENCH_FAKE_REFUSES"), jobs: map[string]*fakeJob{}}
		fmt.Println("the fake syncer listens")
		fmt.Fprintln(os.Stderr, http.ListenAndServe(address, f))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// fakeContender is the command of a fake syncer that answers all but one operator.
func fakeContender(name, refuses string) contender {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return contender{name: name, command: "BENCH_FAKE_SYNCER={host}:{port} BENCH_FAKE_REFUSES=" + refuses + " exec '" + self + "'"}
}

// fakeSyncer has the HTTP interface of a syncer, and sees to it that the destination's
// tables have as many rows as the source's.
type fakeSyncer struct {
	refuses string

	mu   sync.Mutex
	jobs map[string]*fakeJob
}

type fakeJob struct {
	mu       sync.Mutex // held for a round: whoever pauses the job waits for it
	paused   bool
	database string
	src, dst *sql.DB
	stop     context.CancelFunc
}

type fakeSpec struct {
	Host     string `json:"host"`
	Port     string `json:"port"`
	User     string `json:"user"`
	Password string `json:"password"`
	Database string `json:"database"`
}

func (s fakeSpec) open() (*sql.DB, error) {
	return harness.OpenSQL(s.Host+":"+s.Port, s.User, s.Password, "")
}

// ServeHTTP implements http.Handler.
func (f *fakeSyncer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operator := strings.TrimPrefix(r.URL.Path, "/")
	var body struct {
		Name string   `json:"name"`
		Src  fakeSpec `json:"src"`
		Dest fakeSpec `json:"dest"`
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	if operator == f.refuses {
		fmt.Println("refusing", operator)
		_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "error_msg": operator + " is refused"})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	switch j := f.jobs[body.Name]; {
	case operator == "version":
	case operator == "create_ccr":
		err = f.create(body.Name, body.Src, body.Dest)
	case j == nil:
		err = fmt.Errorf("job %s not exist", body.Name)
	case operator == "pause", operator == "resume":
		j.pause(operator == "pause")
	case operator == "delete":
		j.stop()
		delete(f.jobs, body.Name)
	default:
		err = fmt.Errorf("no such operator: %s", operator)
	}
	reply := map[string]any{"success": err == nil}
	if err != nil {
		reply["error_msg"] = err.Error()
	}
	_ = json.NewEncoder(w).Encode(reply)
}

func (f *fakeSyncer) create(name string, source, destination fakeSpec) error {
	j := &fakeJob{database: source.Database}
	var err error
	if j.src, err = source.open(); err != nil {
		return err
	}
	if j.dst, err = destination.open(); err != nil {
		return err
	}
	var ctx context.Context
	ctx, j.stop = context.WithCancel(context.Background())
	f.jobs[name] = j
	go func() {
		for ctx.Err() == nil {
			if err := j.work(ctx); err != nil && ctx.Err() == nil {
				fmt.Println("job", name, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return nil
}

func (j *fakeJob) pause(paused bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.paused = paused
}

// work makes a round unless the job is paused.
func (j *fakeJob) work(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.paused {
		return nil
	}
	return j.round(ctx)
}

// round gives each table of the destination the rows that it lacks.
func (j *fakeJob) round(ctx context.Context) error {
	if _, err := j.dst.ExecContext(ctx, "CREATE DATABASE IF NOT EXISTS "+j.database); err != nil {
		return err
	}
	names, err := harness.Tables(ctx, j.src, j.database)
	if err != nil {
		return err
	}
	for _, name := range names {
		table := j.database + "." + name
		if _, err := j.dst.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+table+` (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id)
			DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1")`); err != nil {
			return err
		}
		var want, have int
		if err := j.src.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&want); err != nil {
			return err
		}
		if err := j.dst.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&have); err != nil {
			return err
		}
		if want > have {
			if _, err := j.dst.ExecContext(ctx, "INSERT INTO "+table+" VALUES "+strings.TrimSuffix(strings.Repeat("(1, 'a row'),", want-have), ",")); err != nil {
				return err
			}
		}
	}
	return nil
}
