package server

import (
	"io/fs"
	"log/slog"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheMemoryLimitIsThatOfTheControlGroup(t *testing.T) {
	const none = "9223372036854771712" // what version 1 says without a limit
	for name, c := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"a container": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		"a unit": {map[string]string{"proc/self/cgroup": "0::/system.slice/ccr.service\n",
			"sys/fs/cgroup/system.slice/ccr.service/memory.max": "max\n", "sys/fs/cgroup/system.slice/memory.max": "1073741824\n"}, 1 << 30},
		"the least of several": {map[string]string{"proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/b/memory.max": "400\n", "sys/fs/cgroup/a/memory.max": "300\n"}, 300},
		"version 1": {map[string]string{"proc/self/cgroup": "9:pids:/x\n5:memory:/docker/1f\n0::/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n"}, 256 << 20},
		"version 1 without": {map[string]string{"proc/self/cgroup": "5:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": none}, 0},
		"no limit":          {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0},
		"not Linux":         {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, groupLimit(func(file string) ([]byte, error) {
				if text, found := c.files[file]; found {
					return []byte(text), nil
				}
				return nil, fs.ErrNotExist
			}))
		})
	}
}

func TestTheHeapKeepsBelowTheLimit(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	read := func(file string) ([]byte, error) {
		if file == "proc/self/cgroup" {
			return []byte("0::/\n"), nil
		}
		return []byte("1073741800\n"), nil
	}
	log := slog.New(slog.DiscardHandler)
	t.Setenv("GOMEMLIMIT", "off")
	limitMemory(log, read)
	require.Equal(t, before, debug.SetMemoryLimit(-1), "the environment has the last word")
	t.Setenv("GOMEMLIMIT", "")
	limitMemory(log, read)
	require.Equal(t, int64(1073741800/100*80), debug.SetMemoryLimit(-1))
}
