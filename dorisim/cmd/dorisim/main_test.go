package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// buffer is a bytes.Buffer for two goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestRunsUntilCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	out := &buffer{}
	cmd := command()
	cmd.SetOut(out)
	cmd.SetArgs([]string{"--clusters", "2", "--port-base", "0", "--bes", "2"})
	done := make(chan error, 1)
	go func() { done <- cmd.ExecuteContext(ctx) }()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "Ready.") }, 10*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	for _, want := range []string{"source", "destination", "FE 0", "BE 1", "admin"} {
		require.Contains(t, out.String(), want)
	}
}

func TestConfigFile(t *testing.T) {
	out := &buffer{}
	cmd := command()
	cmd.SetOut(out)
	cmd.SetArgs([]string{"--print-config", "--fes", "3", "--root-password", "secret"})
	require.NoError(t, cmd.Execute())
	require.NotContains(t, out.String(), "secret")
	path := filepath.Join(t.TempDir(), "c.yaml")
	require.NoError(t, os.WriteFile(path, []byte(out.String()), 0o600))
	f, err := readFile(path)
	require.NoError(t, err)
	require.Equal(t, 3, f.Clusters[0].FEs)
	require.NoError(t, os.WriteFile(path, []byte("clusters:\n- nonsense: 1\n"), 0o600))
	_, err = readFile(path)
	require.ErrorContains(t, err, "nonsense")
	_, err = clusterSpec{Profile: "warp"}.config(nil)
	require.ErrorContains(t, err, `unknown profile "warp"`)
}

func TestEveryClusterAdvertisesOtherAddresses(t *testing.T) {
	o := defaults()
	o.clusters, o.AdvertisePrefix = 2, "10.66.0."
	f := o.file()
	require.Equal(t, "10.66.0.", f.Clusters[0].AdvertisePrefix)
	require.Equal(t, "10.66.1.", f.Clusters[1].AdvertisePrefix)
	require.Equal(t, f.Clusters[0].PortBase+portsPerCluster, f.Clusters[1].PortBase)
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	taken := l.Addr().(*net.TCPAddr).Port
	cmd := command()
	cmd.SetArgs([]string{"--port-base", strconv.Itoa(taken)})
	err = cmd.ExecuteContext(t.Context())
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, "--port-base")
}
