package backup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// The states of jobs (doris-sql.md 2.8, 2.9).
const (
	statePending        = "PENDING"
	stateCreating       = "CREATING"
	stateSnapshoting    = "SNAPSHOTING"
	stateUploadSnapshot = "UPLOAD_SNAPSHOT"
	stateUploading      = "UPLOADING"
	stateSaveMeta       = "SAVE_META"
	stateUploadInfo     = "UPLOAD_INFO"
	stateDownload       = "DOWNLOAD"
	stateDownloading    = "DOWNLOADING"
	stateCommit         = "COMMIT"
	stateCommitting     = "COMMITTING"
	stateFinished       = "FINISHED"
	stateCancelled      = "CANCELLED"
)

// failure is why a job is cancelled: Status shows [code, msg: text].
type failure struct{ code, text string }

// Error implements error.
func (f *failure) Error() string { return fmt.Sprintf("[%s, msg: %s]", f.code, f.text) }

func failf(format string, args ...any) error {
	return &failure{code: "COMMON_ERROR", text: fmt.Sprintf(format, args...)}
}

func notFoundf(format string, args ...any) error {
	return &failure{code: "NOT_FOUND", text: fmt.Sprintf(format, args...)}
}

// job is a backup or a restore: exactly one of the two is set. Its id is -1
// until it leaves PENDING (doris-sql.md 2.8).
type job struct {
	id, dbID int64
	label    string
	now      func() time.Time
	timeout  time.Duration
	backup   *backupWork
	restore  *restoreWork
	done     chan struct{}

	mu       sync.Mutex
	state    string
	status   string
	created  time.Time
	reached  map[string]time.Time // when a state was entered
	stop     context.CancelCauseFunc
	stopped  bool // cancelled by the user
	noReturn bool // may not be cancelled any more
	tasks    string
}

func newJob(db int64, label string, timeout time.Duration, now func() time.Time) *job {
	return &job{
		id: -1, dbID: db, label: label, timeout: timeout, now: now, done: make(chan struct{}),
		state: statePending, status: "[OK]", created: now(), reached: map[string]time.Time{},
	}
}

// number gives the job its id. Only the job's own work does it, and may then
// read id without the lock.
func (j *job) number(id int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.id = id
}

// inTheWayOf refuses another job of the database.
func (j *job) inTheWayOf(label string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return refusef("Can only run one backup or restore job of a database at same time , current running: label = %s jobId = %d, to run label = %s", j.label, j.id, label)
}

var errUserCancelled = errors.New("user cancelled")

// run executes f and settles the job's end. A job that is interrupted because
// the cluster closes stays in its state.
func (j *job) run(ctx context.Context, f func(context.Context) error) {
	defer close(j.done)
	timed, cancel := context.WithTimeoutCause(ctx, j.timeout, &failure{code: "TIMEOUT"})
	defer cancel()
	run, stop := context.WithCancelCause(timed)
	defer stop(nil)
	j.mu.Lock()
	j.stop = stop
	if j.stopped {
		stop(errUserCancelled)
	}
	j.mu.Unlock()
	err := f(run)
	if err == nil {
		j.enter(stateFinished)
		return
	}
	if ctx.Err() != nil {
		return
	}
	if run.Err() != nil {
		err = context.Cause(run)
	}
	j.fail(err)
}

func (j *job) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var f *failure
	switch {
	case errors.Is(err, errUserCancelled) && j.restore != nil:
		f = &failure{code: "COMMON_ERROR", text: "user cancelled, current state: " + j.state}
	case errors.Is(err, errUserCancelled):
		f = &failure{code: "COMMON_ERROR", text: "user cancelled"}
	case errors.As(err, &f):
		if f.code == "TIMEOUT" && j.restore != nil {
			f = &failure{code: "TIMEOUT", text: fmt.Sprintf("restore job with label: %s  timeout.", j.label)}
		}
	default:
		f = &failure{code: "COMMON_ERROR", text: err.Error()}
	}
	j.status, j.state = f.Error(), stateCancelled
	j.reached[stateFinished] = j.now()
}

func (j *job) enter(state string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state = state
	j.reached[state] = j.now()
}

func (j *job) current() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.state
}

func (j *job) finished() bool {
	s := j.current()
	return s == stateFinished || s == stateCancelled
}

// pointOfNoReturn makes the job uncancellable; it fails if it was cancelled.
func (j *job) pointOfNoReturn() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.stopped {
		return errUserCancelled
	}
	j.noReturn = true
	return nil
}

// cancelByUser ends the job and waits until it has cleaned up. If that is not
// possible it returns the state.
func (j *job) cancelByUser() (state string, ok bool) {
	j.mu.Lock()
	if j.noReturn || j.state == stateFinished || j.state == stateCancelled {
		defer j.mu.Unlock()
		return j.state, false
	}
	j.stopped = true
	if j.stop != nil {
		j.stop(errUserCancelled)
	}
	j.mu.Unlock()
	<-j.done
	return j.current(), true
}

// setTasks notes what SHOW prints as unfinished tasks.
func (j *job) setTasks(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tasks = text
}
