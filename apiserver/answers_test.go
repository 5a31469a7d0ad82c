package apiserver

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// keeping makes a server that keeps answers until a test is over.
func keeping(t *testing.T, f *fakeTemporal) *Server {
	s := newServer(t, f, nil)
	s.answers.keep = time.Hour
	return s
}

// Who asks in a loop costs one question, until a command says that things may be
// different.
func TestEqualQuestionsAreAskedOnce(t *testing.T) {
	f := newFake()
	j := f.add("j1", nil)
	f.add("j2", func(j *fakeJob) { j.status.Running = false })
	s := keeping(t, f)
	describes := func() (n int) {
		f.with(func() { n = j.describes })
		return n
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { ask(s, "/job_status", `{"name":"j1"}`) })
	}
	all.Wait()
	require.Equal(t, 1, describes(), "a status costs one")
	require.Contains(t, ask(s, "/job_status", `{"name":"j2"}`).Body.String(), `"state":"paused"`, "another question has its own answer")
	askBy(s, "GET", "/jobs/j1/status", "")
	require.Equal(t, 1, describes(), "the other form of the interface asks the same")

	j.onSignal = func(j *fakeJob, _ string, cmd job.Command) {
		j.status.Running = false
		j.conclude(cmd, "")
	}
	require.Contains(t, ask(s, "/pause", `{"name":"j1"}`).Body.String(), `"success":true`)
	require.Contains(t, ask(s, "/job_status", `{"name":"j1"}`).Body.String(), `"state":"paused"`, "the command has returned")
	require.Equal(t, 2, describes())
}

// A question that was asked before a command does not answer those who ask after it.
func TestAnAnswerOfBeforeTheCommandIsNotShared(t *testing.T) {
	a := newAnswers()
	began, goOn := make(chan bool), make(chan bool)
	var before sync.WaitGroup
	before.Go(func() {
		answer, err := once(t.Context(), a, time.Hour, "status", "j1", func(context.Context) (string, error) {
			close(began)
			<-goOn
			return "old", nil
		})
		require.NoError(t, err)
		require.Equal(t, "old", answer)
	})
	<-began
	a.forget()
	now := func(context.Context) (string, error) { return "new", nil }
	answer, err := once(t.Context(), a, time.Hour, "status", "j1", now)
	require.NoError(t, err)
	require.Equal(t, "new", answer)
	close(goOn)
	before.Wait()
	answer, err = once(t.Context(), a, time.Hour, "status", "j1", func(context.Context) (string, error) { return "asked again", nil })
	require.NoError(t, err)
	require.Equal(t, "new", answer, "the late one has replaced nothing")
}

// Who shares a question with somebody who goes away asks it anew.
func TestALeftQuestionIsAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAnswers()
		ctx, leave := context.WithCancel(t.Context())
		var asked sync.WaitGroup
		asked.Go(func() {
			_, err := once(ctx, a, time.Hour, "status", "j1", func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", ctx.Err()
			})
			require.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		asked.Go(func() {
			answer, err := once(t.Context(), a, time.Hour, "status", "j1", func(context.Context) (string, error) { return "well", nil })
			require.NoError(t, err)
			require.Equal(t, "well", answer)
		})
		synctest.Wait() // both wait for the same now
		leave()
		asked.Wait()
	})
}

// Temporal gets no more questions at once than heartbeats can bear, however many ask.
func TestQuestionsAtOnceAreBounded(t *testing.T) {
	a := newAnswers()
	var (
		mu          sync.Mutex
		under, most int
		all         sync.WaitGroup
	)
	for range 4 * questionSlots {
		all.Go(func() {
			_, err := slotted(a, func(context.Context) (int, error) {
				mu.Lock()
				under++
				most = max(most, under)
				mu.Unlock()
				time.Sleep(time.Millisecond)
				mu.Lock()
				under--
				mu.Unlock()
				return 0, nil
			})(t.Context())
			require.NoError(t, err)
		})
	}
	all.Wait()
	require.LessOrEqual(t, most, questionSlots)
	require.Empty(t, a.slots)
}
