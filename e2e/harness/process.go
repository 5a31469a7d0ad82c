// Package harness runs the product for end-to-end tests, the demo and the
// benchmarks: its binaries as processes, its HTTP interface, and the comparison
// of what two clusters hold. It uses public interfaces only.
package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a running child process. Its output goes to a log file.
type Process struct {
	Name string
	Log  string // path of the log file
	cmd  *exec.Cmd

	mu   sync.Mutex
	done chan struct{}
	err  error
}

// Binary returns the path of a binary that `make build` has built.
func Binary(name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not built (run `make build`): %w", name, err)
	}
	return path, nil
}

// Root returns the repository's root: the folder of the go.work file.
func Root() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return os.Getwd()
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file))), nil
}

// StartProcess runs the binary in the background. logFile is appended to.
func StartProcess(name, path, logFile string, env []string, args ...string) (*Process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log of %s: %w", name, err)
	}
	defer out.Close()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	// A group of its own: Ctrl-C in a terminal reaches the demo only, which then
	// stops its children in order. Pdeathsig ends the child with its parent.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p := &Process{Name: name, Log: logFile, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Pdeathsig is sent when the *thread* that started the child ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// PID of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process at once (SIGKILL) and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// Freeze stops the process in mid-air (SIGSTOP): its connections stay open and
// nobody answers on them, as after a loss of power or in a suspended machine.
func (p *Process) Freeze() { _ = p.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on, at first unaware of the time that has passed.
func (p *Process) Thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// Stop asks the process to end (SIGTERM); after the grace time it is killed and
// an error tells so.
func (p *Process) Stop(grace time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.err != nil {
			return fmt.Errorf("%s ended with %w; its last lines:\n%s", p.Name, p.err, p.Tail(40))
		}
		return nil
	case <-time.After(grace):
		p.Kill()
		return fmt.Errorf("%s did not end within %s of SIGTERM; its last lines:\n%s", p.Name, grace, p.Tail(40))
	}
}

// Exited tells whether the process has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Tail returns the last n lines of the log.
func (p *Process) Tail(n int) string {
	b, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}

// RSS returns the process' resident memory in bytes.
func (p *Process) RSS() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("memory of %s: %w", p.Name, err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		return 0, fmt.Errorf("memory of %s: %w", p.Name, err)
	}
	return resident * int64(os.Getpagesize()), nil
}

// CPU returns the processor time that the process has used.
func (p *Process) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("processor time of %s: %w", p.Name, err)
	}
	stat, err := parseStat(b)
	if err != nil {
		return 0, fmt.Errorf("processor time of %s: %w", p.Name, err)
	}
	return stat.cpu, nil
}

// FreePorts returns n ports of 127.0.0.1 that were free a moment ago. They lie
// below the kernel's range for outgoing connections, and below the one from which
// an embedded Temporal chooses those of its services: a process that is killed and
// started again must find its ports still free.
func FreePorts(n int) ([]int, error) {
	const low, high, tries = 4000, 10000, 200
	ports := make([]int, 0, n)
	for range tries {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(low+rand.IntN(high-low))))
		if err != nil {
			continue
		}
		defer l.Close()
		if ports = append(ports, l.Addr().(*net.TCPAddr).Port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("no %d free ports between %d and %d", n, low, high)
}

// ErrGiveUp, wrapped into the error of a check, ends Await at once.
var ErrGiveUp = errors.New("no use in waiting")

// ErrDeadline is what Await gives up with.
var ErrDeadline = errors.New("waited too long")

// Await calls check until it returns nil, at most until the deadline; the error
// then holds check's last answer.
func Await(ctx context.Context, limit time.Duration, check func(context.Context) error) error {
	return AwaitEvery(ctx, 25*time.Millisecond, limit, check)
}

// AwaitEvery is Await with a longer pause between two checks, for those that
// many wait for at once.
func AwaitEvery(ctx context.Context, pause, limit time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error // not the error of a check that the deadline cut off
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrGiveUp) {
			return err
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%s): %w", ErrDeadline, limit, last)
		case <-time.After(pause):
		}
	}
}
