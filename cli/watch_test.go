package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// watched runs a command that goes on, and reads its lines.
func watched(t *testing.T, r *recorded, args ...string) (next func() string, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	cmd := CCR("", []string{"CCR_API=" + r.URL}).Root()
	cmd.SetOut(out)
	cmd.SetErr(out)
	cmd.SetArgs(append(args, "--watch", "--interval", "5ms"))
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.ExecuteContext(ctx)
		_ = out.Close() // the reader finds the end
	}()
	lines := make(chan string, 100)
	go func() {
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			lines <- scanner.Text()
		}
		close(lines)
	}()
	next = func() string {
		t.Helper()
		select {
		case line, more := <-lines:
			require.True(t, more, "it has ended")
			return line
		case <-time.After(20 * time.Second):
			require.Fail(t, "no line")
			return ""
		}
	}
	return next, func() {
		cancel()
		require.NoError(t, <-ended, "Ctrl-C is how it ends")
		for range lines { // until the reader has ended, too
		}
	}
}

func (r *recorded) set(what string, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[what] = a
}

// --watch prints what has changed, bears a server that is away for a while, and ends with
// Ctrl-C.
func TestWatch(t *testing.T) {
	t.Parallel()
	lag := func(n int) answer {
		return answer{200, fmt.Sprintf(`{"lag":%d,"observed_at":"2026-11-30 21:00:00"}`, n)}
	}
	const path = "GET /jobs/a/lag"
	r := newRecorded(t, map[string]answer{path: lag(1)})
	next, stop := watched(t, r, "job", "lag", "a", "-o", "json")
	require.Equal(t, `{"lag":1,"observed_at":"2026-11-30 21:00:00"}`, next())
	r.set(path, answer{503, `{"detail":"temporal is not reachable"}`})
	require.Equal(t, "temporal is not reachable", next())
	r.set(path, lag(2))
	require.Equal(t, `{"lag":2,"observed_at":"2026-11-30 21:00:00"}`, next())
	stop()

	r.set(path, lag(3))
	next, stop = watched(t, r, "job", "lag", "a")
	require.Contains(t, next(), "NAME")
	require.Contains(t, next(), "a      3")
	r.set(path, lag(4))
	require.Empty(t, next(), "a blank line between two answers")
	require.Contains(t, next(), "NAME")
	require.Contains(t, next(), "a      4")
	stop()

	_, failure, status := session{environ: []string{"CCR_API=" + r.URL}}.run(t.Context(), "job", "lag", "nope", "--watch")
	require.Contains(t, failure, "job nope not exist", "a mistake is told at once")
	require.Equal(t, exitNotFound, status)
}

// events --watch prints each event once.
func TestWatchEvents(t *testing.T) {
	t.Parallel()
	events := func(texts ...string) answer {
		var list []string
		for i, text := range texts {
			list = append(list, fmt.Sprintf(`{"at":"2026-11-30T21:00:%02dZ","level":"info","text":%q}`, i, text))
		}
		return answer{200, `{"events":[` + strings.Join(list, ",") + `]}`}
	}
	const path = "GET /jobs/a/events"
	r := newRecorded(t, map[string]answer{path: events("one", "two")})
	next, stop := watched(t, r, "job", "events", "a")
	require.Contains(t, next(), "TIME")
	require.Contains(t, next(), "one")
	require.Contains(t, next(), "two")
	r.set(path, events("one", "two", "three"))
	require.Contains(t, next(), "three")
	stop()
}
