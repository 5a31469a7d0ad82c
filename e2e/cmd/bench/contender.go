package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// contender is a syncer that is measured: anything that answers the HTTP interface of
// the existing one (http-api.md).
type contender struct {
	name string
	// command is for a shell. {host}, {port}, {port2}, {port3} and {dir} stand for the
	// address of its API, further free ports, and a directory of its own.
	command string
}

// contenders is a flag that may be given several times.
type contenders []contender

// String implements flag.Value.
func (c *contenders) String() string {
	var names []string
	for _, one := range *c {
		names = append(names, one.name)
	}
	return strings.Join(names, ", ")
}

// Set implements flag.Value: name=old,command=/path/ccr_syncer -port {port}.
func (c *contenders) Set(text string) error {
	head, command, found := strings.Cut(text, "command=")
	name, named := strings.CutPrefix(strings.TrimSuffix(head, ","), "name=")
	command = strings.TrimSpace(command)
	switch {
	case !found || !named || name == "" || command == "":
		return fmt.Errorf("%q is not name=NAME,command=COMMAND", text)
	case !strings.Contains(command, "{port}"):
		return errors.New("the command says nothing of {port}, where its API has to answer")
	}
	for _, other := range *c {
		if other.name == name {
			return fmt.Errorf("two contenders are called %s", name)
		}
	}
	*c = append(*c, contender{name: name, command: command})
	return nil
}

// thisCCR is the contender that is always there.
func thisCCR() (contender, error) {
	binary, err := harness.Binary("ccr-standalone")
	if err != nil {
		return contender{}, err
	}
	return contender{name: "ccr", command: "exec '" + binary + "' --data-dir {dir} --listen {host}:{port} --temporal-listen {host}:{port2} --ui-listen ''"}, nil
}

// syncer is a running contender.
type syncer struct {
	contender
	dir     string
	process *harness.Process
	api     *harness.CCR
}

// answersWithin bounds the start of a contender.
const answersWithin = 90 * time.Second

// logTail is how many of the last lines of a contender's log an error shows.
const logTail = 30

// start runs a contender and waits until its API answers. Who starts it stops it, but
// for an error.
func (c contender) start(ctx context.Context) (_ *syncer, err error) {
	dir, err := os.MkdirTemp("", "ccr-contender-")
	if err != nil {
		return nil, fmt.Errorf("directory of %s: %w", c.name, err)
	}
	s := &syncer{contender: c, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	ports, err := harness.FreePorts(3)
	if err != nil {
		return nil, err
	}
	const host = "127.0.0.1"
	command := strings.NewReplacer("{host}", host, "{dir}", dir,
		"{port}", strconv.Itoa(ports[0]), "{port2}", strconv.Itoa(ports[1]), "{port3}", strconv.Itoa(ports[2])).Replace(c.command)
	s.api = &harness.CCR{DataDir: dir, API: host + ":" + strconv.Itoa(ports[0])}
	if s.process, err = harness.StartProcess(c.name, "/bin/sh", filepath.Join(dir, "contender.log"), nil, "-c", command); err != nil {
		return nil, err
	}
	err = harness.Await(ctx, answersWithin, func(ctx context.Context) error {
		if s.process.Exited() {
			return fmt.Errorf("it has ended: %w", harness.ErrGiveUp)
		}
		_, err := s.call(ctx, "version", nil)
		return err
	})
	if err != nil {
		return nil, s.failed("start", err)
	}
	return s, nil
}

// answerWithin bounds a call of a contender's API.
const answerWithin = time.Minute

// call asks the contender's API.
func (s *syncer) call(ctx context.Context, operator string, body map[string]any) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	return s.api.Call(ctx, operator, body)
}

// failed says which step of which contender has failed, and what its log ends with.
func (s *syncer) failed(step string, err error) error {
	return fmt.Errorf("contender %s: %s: %w; its last lines:\n%s", s.name, step, err, s.process.Tail(logTail))
}

// stopWithin is how long a contender has to end by itself.
const stopWithin = 40 * time.Second

// stop ends all processes of the contender and removes its directory.
func (s *syncer) stop() error {
	var err error
	if s.process != nil {
		err = s.process.StopGroup(stopWithin)
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
