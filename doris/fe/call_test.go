package fe_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	fs "github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
)

var errLost = errors.New("lose the reply")

func lose(any) (any, error) { return nil, errLost }

// silent listens and never answers.
func silent(t *testing.T) fe.Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	addr := l.Addr().(*net.TCPAddr)
	return fe.Endpoint{Host: addr.IP.String(), Port: addr.Port}
}

// nobody is an address on which nothing listens.
func nobody(t *testing.T) fe.Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().(*net.TCPAddr)
	require.NoError(t, l.Close())
	return fe.Endpoint{Host: addr.IP.String(), Port: addr.Port}
}

func TestRedirectToUnknownMaster(t *testing.T) {
	master := startFrontend(t).says("getMasterToken", token("t1"))
	follower := startFrontend(t).says("getMasterToken", notMaster(master.address()))
	var learned []fe.Endpoint
	c := newClient(t, fe.Config{Learned: func(ep fe.Endpoint) { learned = append(learned, ep) }}, follower)

	for range 3 {
		got, err := c.MasterToken(t.Context())
		require.NoError(t, err)
		require.Equal(t, "t1", got)
	}
	require.Len(t, follower.requests(), 1, "the master is remembered")
	require.Equal(t, master.endpoint, c.Master())
	require.Equal(t, []fe.Endpoint{master.endpoint}, learned, "told once")
	require.Equal(t, "secret", follower.requests()[0].(*fs.TGetMasterTokenRequest).GetPassword())
}

func TestRedirectIsMapped(t *testing.T) {
	master := startFrontend(t).says("getMasterToken", token("t1"))
	follower := startFrontend(t).says("getMasterToken", notMaster(&types.TNetworkAddress{Hostname: "fe-1.private", Port: int32(master.endpoint.Port)}))
	c := newClient(t, fe.Config{HostMapping: map[string]string{"fe-1.private": "127.0.0.1"}}, follower)

	_, err := c.MasterToken(t.Context())
	require.NoError(t, err)
	require.Equal(t, master.endpoint, c.Master())
}

func TestRedirectToUnmappedHost(t *testing.T) {
	redirect := notMaster(&types.TNetworkAddress{Hostname: "fe-9.private", Port: 9020})
	follower := startFrontend(t).says("getMasterToken", redirect)
	cfg := fe.Config{HostMapping: map[string]string{"fe-1.private": "127.0.0.1"}, FailoverTimeout: time.Hour}

	_, err := newClient(t, cfg, follower).MasterToken(t.Context())
	var unmapped *fe.UnmappedHostError
	require.ErrorAs(t, err, &unmapped)
	require.Equal(t, "fe-9.private", unmapped.Host)
	require.ErrorContains(t, err, "update_host_mapping")

	// The master may be among the known frontends all the same.
	master := startFrontend(t).says("getMasterToken", token("t1"))
	_, err = newClient(t, cfg, follower, master).MasterToken(t.Context())
	require.NoError(t, err)
}

func TestNotMasterWithoutAddress(t *testing.T) {
	for name, address := range map[string]*types.TNetworkAddress{
		"unset": nil, "empty host": {Port: 9020}, "port 0": {Hostname: "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			follower := startFrontend(t).says("getMasterToken", notMaster(address))
			master := startFrontend(t).says("getMasterToken", token("t1"))
			_, err := newClient(t, fe.Config{}, follower, master).MasterToken(t.Context())
			require.NoError(t, err)

			_, err = newClient(t, fe.Config{}, follower).MasterToken(t.Context())
			require.ErrorIs(t, err, fe.ErrNotMaster)
		})
	}
}

func TestElectionEndsWhileCalling(t *testing.T) {
	f := startFrontend(t)
	asked := 0
	f.on("getMasterToken", func(any) (any, error) {
		if asked++; asked < 3 {
			return notMaster(nil), nil
		}
		return token("t1"), nil
	})
	_, err := newClient(t, fe.Config{FailoverTimeout: time.Minute}, f).MasterToken(t.Context())
	require.NoError(t, err)
}

func TestFollowersThatNameEachOther(t *testing.T) {
	a, b := startFrontend(t), startFrontend(t)
	a.says("getMasterToken", notMaster(b.address()))
	b.says("getMasterToken", notMaster(a.address()))
	_, err := newClient(t, fe.Config{}, a).MasterToken(t.Context())
	require.ErrorIs(t, err, fe.ErrNotMaster)
	require.Len(t, a.requests(), 1)
	require.Len(t, b.requests(), 1)
}

func TestFallbackWhenUnreachable(t *testing.T) {
	master := startFrontend(t).says("beginTxn", &fs.TBeginTxnResult_{Status: okStatus, TxnID: p(int64(7)), DbID: p(int64(1))})
	c := newClient(t, fe.Config{Frontends: []fe.Endpoint{nobody(t)}}, master)

	txn, err := c.BeginTxn(t.Context(), fe.BeginRequest{Label: "l"}) // never sent to the first
	require.NoError(t, err)
	require.EqualValues(t, 7, txn.ID)
}

func TestNobodyReachable(t *testing.T) {
	c := newClient(t, fe.Config{Frontends: []fe.Endpoint{nobody(t), nobody(t)}})
	_, err := c.CommitTxn(t.Context(), fe.CommitRequest{TxnID: 1})
	var lost *fe.TransportError
	require.ErrorAs(t, err, &lost)
	require.False(t, lost.Sent, "nothing happened")
}

func TestLostReply(t *testing.T) {
	first := startFrontend(t).on("commitTxn", lose).on("getMasterToken", lose)
	second := startFrontend(t).says("commitTxn", &fs.TCommitTxnResult_{Status: okStatus}).says("getMasterToken", token("t1"))
	c := newClient(t, fe.Config{FailoverTimeout: time.Hour}, first, second)

	_, err := c.CommitTxn(t.Context(), fe.CommitRequest{TxnID: 1})
	var lost *fe.TransportError
	require.ErrorAs(t, err, &lost)
	require.True(t, lost.Sent, "the outcome is unknown")
	require.Equal(t, "commitTxn", lost.Method)
	require.Empty(t, second.requests(), "a commit is never repeated silently")

	_, err = c.MasterToken(t.Context())
	require.NoError(t, err, "a read is")
}

func TestUnknownMethod(t *testing.T) {
	old := startFrontend(t).says("getMasterToken", token("t1"))
	c := newClient(t, fe.Config{FailoverTimeout: time.Hour}, old)
	_, err := c.LockBinlog(t.Context(), fe.LockRequest{Database: "d", TableID: -1, CommitSeq: -1})
	require.ErrorIs(t, err, fe.ErrUnknownMethod)
	require.ErrorContains(t, err, "lockBinlog")

	_, err = c.MasterToken(t.Context())
	require.NoError(t, err, "the connection is still good")
}

func TestCancelClosesTheCall(t *testing.T) {
	c := newClient(t, fe.Config{Frontends: []fe.Endpoint{silent(t)}, FailoverTimeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.MasterToken(ctx)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(10 * time.Second):
		t.Fatal("the call outlives its context")
	}
}

func TestTimeoutIsNotTheCallersDeadline(t *testing.T) {
	c := newClient(t, fe.Config{Frontends: []fe.Endpoint{silent(t)}, RPCTimeout: 20 * time.Millisecond})
	_, err := c.MasterToken(t.Context())
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
}

func TestServerRestart(t *testing.T) {
	f := startFrontend(t).says("getMasterToken", token("t1"))
	c := newClient(t, fe.Config{}, f)
	_, err := c.MasterToken(t.Context())
	require.NoError(t, err)
	f.on("getMasterToken", lose) // the server closes the connection
	_, err = c.MasterToken(t.Context())
	require.Error(t, err)
	f.says("getMasterToken", token("t2"))
	got, err := c.MasterToken(t.Context())
	require.NoError(t, err)
	require.Equal(t, "t2", got)
}

func TestFramed(t *testing.T) {
	f := &frontend{handlers: map[string]func(any) (any, error){}}
	serve(t, f, true)
	f.says("getMasterToken", token("t1"))
	got, err := newClient(t, fe.Config{Framed: true}, f).MasterToken(t.Context())
	require.NoError(t, err)
	require.Equal(t, "t1", got)
}

func TestObserve(t *testing.T) {
	f := startFrontend(t).says("getMasterToken", token("t1"))
	type call struct {
		method, addr string
		failed       bool
	}
	var mu sync.Mutex
	var calls []call
	first := nobody(t)
	c := newClient(t, fe.Config{Frontends: []fe.Endpoint{first}, Observe: func(method, addr string, _ time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, call{method, addr, err != nil})
	}}, f)
	_, err := c.MasterToken(t.Context())
	require.NoError(t, err)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []call{{"getMasterToken", first.String(), true}, {"getMasterToken", f.endpoint.String(), false}}, calls)
}

func TestConcurrentCalls(t *testing.T) {
	master := startFrontend(t).says("getMasterToken", token("t1"))
	follower := startFrontend(t).says("getMasterToken", notMaster(master.address()))
	c := newClient(t, fe.Config{}, follower)
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for range 16 {
		wg.Go(func() {
			for range 20 {
				if _, err := c.MasterToken(t.Context()); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}
