package server

import (
	"log/slog"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryShare is the share of what a container, or a systemd unit, may use that Go's heap
// may have, in percent: the rest is for stacks, the binary and what SQLite takes beside it.
const memoryShare = 80

// LimitMemory has the garbage collector keep the process below the memory limit of its
// control group: without that Go lets the heap double before it collects, and the kernel
// kills the process. GOMEMLIMIT in the environment has the last word.
func LimitMemory(log *slog.Logger) {
	limitMemory(log, func(name string) ([]byte, error) { return os.ReadFile("/" + name) })
}

func limitMemory(log *slog.Logger, read func(string) ([]byte, error)) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := groupLimit(read)
	if limit == 0 {
		return
	}
	heap := limit / 100 * memoryShare
	debug.SetMemoryLimit(heap)
	log.Debug("The garbage collector keeps to the memory limit of the control group.", "limit_mb", limit>>20, "heap_mb", heap>>20)
}

// groupLimit is the least memory limit of the control groups that the process is in, 0 for
// none. read reads a file by its path without the first slash.
func groupLimit(read func(string) ([]byte, error)) (limit int64) {
	groups, err := read("proc/self/cgroup")
	if err != nil {
		return 0 // not Linux
	}
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, file := "sys/fs/cgroup", "memory.max" // version 2
		switch {
		case parts[1] == "memory":
			root, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes" // version 1
		case parts[1] != "":
			continue
		}
		// In a container the path may be that of the host: then only the root is there.
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			if n := limitIn(read, filepath.Join(root, group, file)); n > 0 && (limit == 0 || n < limit) {
				limit = n
			}
			if group == "/" {
				break
			}
		}
	}
	return limit
}

// limitIn is the limit that a file has, 0 for none.
func limitIn(read func(string) ([]byte, error), file string) int64 {
	text, err := read(file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n > math.MaxInt64/2 { // "max", or what version 1 says for none
		return 0
	}
	return n
}
