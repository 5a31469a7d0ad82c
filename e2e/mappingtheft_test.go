package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// thief listens where a frontend would, at an address of its own, and keeps what
// it is sent.
type thief struct {
	host string
	wait sync.WaitGroup

	mu   sync.Mutex
	loot bytes.Buffer
}

// newThief listens on the ports of a frontend, MySQL and Thrift.
func newThief(t *testing.T, host string, ports ...string) *thief {
	t.Helper()
	th := &thief{host: host}
	t.Cleanup(th.wait.Wait)
	for _, port := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(host, port))
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		th.wait.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				th.wait.Go(func() { th.rob(c) })
			}
		})
	}
	return th
}

// rob reads the first call and hangs up.
func (th *thief) rob(c net.Conn) {
	defer c.Close()
	b := make([]byte, 64<<10)
	n, _ := c.Read(b)
	th.mu.Lock()
	defer th.mu.Unlock()
	th.loot.Write(b[:n])
}

// has tells whether a text has arrived.
func (th *thief) has(text string) bool {
	th.mu.Lock()
	defer th.mu.Unlock()
	return bytes.Contains(th.loot.Bytes(), []byte(text))
}

func (th *thief) robbed() int {
	th.mu.Lock()
	defer th.mu.Unlock()
	return th.loot.Len()
}

// Who may steer jobs but not create them cannot make ccr log in to a server of
// theirs: Doris' protocol sends the account's password to whatever host a mapping
// leads to. An administrator's mapping leads there, which is what proves that the
// server of this test would get it.
func TestMappingTheft(t *testing.T) {
	t.Parallel()
	const password = "s3cret-that-must-not-leave"
	e := newOwnEnv(t, harness.PairOptions{FEs: 2, SourcePrivate: "doris.source.invalid-", Password: password},
		"--tokens-file", writeTokens(t, t.TempDir()))
	e.ccr.Token = apiToken("admin")
	source := e.publish(e.pair.Source)
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	job := e.jobName()
	_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": job, "src": source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")})
	require.NoError(t, err)
	e.endWithTest(job)
	e.awaitEqual(job, "d", "d")

	const second = "doris.source.invalid-2"
	master := e.pair.Source.FE(1)
	_, thrift, err := net.SplitHostPort(master.ThriftAddr())
	require.NoError(t, err)
	_, sql, err := net.SplitHostPort(master.MySQLAddr())
	require.NoError(t, err)
	th := newThief(t, "127.66.6."+strconv.Itoa(1+len(job)%200), thrift, sql)

	// As an operator would try it: in both forms, by both names.
	e.ccr.Token = apiToken("operate")
	hostile := fmt.Sprintf(`"src_host_mapping":{%q:%q}`, second, th.host)
	for _, path := range []string{"update_host_mapping", "add_host_mapping"} {
		code, text, err := e.ccr.Raw(e.ctx, path, fmt.Sprintf(`{"name":%q,%s}`, job, hostile))
		require.NoError(t, err)
		require.Equal(t, http.StatusForbidden, code)
		require.Equal(t, `{"success":false,"error_msg":"token operateer has the role operate, this needs admin"}`, text)
	}
	request, err := http.NewRequestWithContext(e.ctx, http.MethodPatch, "http://"+e.ccr.API+"/jobs/"+job+"/host_mapping", bytes.NewBufferString("{"+hostile+"}"))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+apiToken("operate"))
	reply, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, reply.Body.Close())
	require.Equal(t, http.StatusForbidden, reply.StatusCode)

	// The job goes where its administrator has said.
	require.NoError(t, e.pair.Source.SwitchMaster(1))
	e.exec("INSERT INTO d.t VALUES (2, 'by the new master')")
	e.awaitEqual(job, "d", "d")
	require.Zero(t, th.robbed())

	e.ccr.Token = apiToken("admin")
	e.updateHostMapping(job, map[string]string{second: th.host}, nil)
	require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
		if !th.has(password) {
			return errors.New("the thief has no password")
		}
		return nil
	}), "the thief of this test is no thief")
	e.updateHostMapping(job, map[string]string{second: source.HostMapping()[second]}, nil)
	e.exec("INSERT INTO d.t VALUES (3, 'back home')")
	e.awaitEqual(job, "d", "d")
}
