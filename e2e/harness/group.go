package harness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Usage is what processes have used up to a moment.
type Usage struct {
	CPU time.Duration
	RSS int64 // bytes
}

// GroupUsage sums over the process and its descendants that have stayed in its process
// group, with the processor time of those that have ended and were waited for.
func (p *Process) GroupUsage() (Usage, error) {
	members, err := groupMembers(p.PID())
	if err == nil && len(members) == 0 {
		err = errors.New("it has ended")
	}
	if err != nil {
		return Usage{}, fmt.Errorf("what %s uses: %w", p.Name, err)
	}
	var sum Usage
	for _, m := range members {
		sum.CPU += m.cpu + m.childrenCPU
		sum.RSS += m.rss
	}
	return sum, nil
}

// StopGroup asks the process and its descendants to end (SIGTERM). After the grace time,
// and when the process has ended and left others behind, those that are left are killed.
// It returns when none is left.
func (p *Process) StopGroup(grace time.Duration) error {
	group := -p.PID()
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	_ = syscall.Kill(group, syscall.SIGKILL)
	<-p.done
	const patience, pause = 10 * time.Second, 10 * time.Millisecond
	for range patience / pause {
		members, err := groupMembers(p.PID())
		if err != nil {
			return fmt.Errorf("stop %s: %w", p.Name, err)
		}
		if len(members) == 0 {
			return nil
		}
		time.Sleep(pause)
	}
	return fmt.Errorf("stop %s: some of its processes survive SIGKILL", p.Name)
}

// processStat is a part of /proc/<pid>/stat.
type processStat struct {
	state            string
	group            int
	cpu, childrenCPU time.Duration
	rss              int64 // bytes
}

// groupMembers are the living processes of a process group.
func groupMembers(group int) ([]processStat, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var members []processStat
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // has ended
		}
		s, err := parseStat(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if s.group == group && s.state != "Z" {
			members = append(members, s)
		}
	}
	return members, nil
}

// parseStat reads what the kernel tells of a process (proc(5)).
func parseStat(b []byte) (processStat, error) {
	// The name of the program, in parentheses, may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	// Counted from the state, which is field 3 of proc(5).
	const state, pgrp, utime, stime, cutime, cstime, rss = 0, 2, 11, 12, 13, 14, 21
	if len(fields) <= rss {
		return processStat{}, fmt.Errorf("%q is no process status", b)
	}
	numbers := map[int]int64{}
	for _, i := range []int{pgrp, utime, stime, cutime, cstime, rss} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return processStat{}, fmt.Errorf("process status %q: %w", b, err)
		}
		numbers[i] = n
	}
	const perSecond = 100 // USER_HZ, the same on every Linux
	ticks := func(n int64) time.Duration { return time.Duration(n) * time.Second / perSecond }
	return processStat{
		state: fields[state], group: int(numbers[pgrp]),
		cpu: ticks(numbers[utime] + numbers[stime]), childrenCPU: ticks(numbers[cutime] + numbers[cstime]),
		rss: numbers[rss] * int64(os.Getpagesize()),
	}, nil
}
