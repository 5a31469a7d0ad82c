package apiserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// A question that went to a Temporal server that died is asked anew.
func TestQuestionWithoutAnswerIsAskedAnew(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) { j.silent = 2 })
	s := newServer(t, f, func(o *Options) { o.CommandTimeout = 50 * time.Millisecond })
	require.Contains(t, ask(s, "/job_status", `{"name":"j1"}`).Body.String(), `"success":true`)
}

// Nobody seems to poll, but the job's heartbeat is of just now: Temporal has
// forgotten the polls, and the question is asked anew. Without the heartbeat the
// answer is that no worker runs.
func TestWorkerWithHeartbeatsIsRunning(t *testing.T) {
	for name, c := range map[string]struct {
		age   time.Duration
		reply string
	}{
		"young": {0, `"success":true`},
		"old":   {time.Minute, "no worker is running"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake()
			f.noWorker = true
			j := f.add("j1", func(j *fakeJob) {
				j.activity, j.beat = job.ActivityStream, &job.Heartbeat{At: time.Now().Add(-c.age)}
			})
			s := newServer(t, f, func(o *Options) { o.CommandTimeout = 20 * time.Millisecond })
			reply := make(chan string, 1)
			go func() { reply <- ask(s, "/job_status", `{"name":"j1"}`).Body.String() }()
			if c.age == 0 {
				require.Eventually(t, func() (again bool) {
					f.with(func() { again = j.describes > 2 })
					return again
				}, 10*time.Second, time.Millisecond)
				f.with(func() { f.noWorker = false })
			}
			require.Contains(t, <-reply, c.reply)
		})
	}
}
