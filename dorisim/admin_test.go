package dorisim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/dorisim"
)

// TestAdminHelpAndRefusals: the port answers a person with what it can do, and refuses with the
// reason.
func TestAdminHelpAndRefusals(t *testing.T) {
	c, err := dorisim.Start(t.Context(), dorisim.Config{Name: "one", Admin: true})
	require.NoError(t, err)
	defer c.Close()
	do := func(method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+c.AdminAddr()+path, strings.NewReader(body))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	code, help := do("GET", "/", "")
	require.Equal(t, 200, code)
	for _, want := range []string{`cluster "one"`, "curl -X POST " + c.AdminAddr() + "/faults", "POST   /clock", "be.http.binlog", "hold"} {
		require.Contains(t, help, want)
	}
	for _, wrong := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/nosuch", "", 404, `there is no GET /nosuch here; GET / lists what there is`},
		{"GET", "/be/0/kill", "", 404, `there is no GET /be/0/kill here`},
		{"POST", "/be/x/kill", "", 400, `\"x\" is not a number`},
		{"POST", "/be/7/kill", "", 400, "there is no backend 7, only 0 to 0"},
		{"POST", "/faults", `{"pint": "x"}`, 400, "unknown field"},
		{"POST", "/faults", `{"point": "commitTxn", "action": "fail"}`, 400, `there is no fault point \"commitTxn\"`},
		{"POST", "/faults", `{"action": "fail"}`, 400, "point"},
		{"POST", "/faults", `{"point": "fe.commitTxn", "action": "explode"}`, 400, "explode"},
		{"DELETE", "/faults/3", "", 400, "there is no fault rule 3"},
		{"POST", "/clock", `{"advance_seconds": -1}`, 400, "only moves forward"},
		{"POST", "/profile", `{"name": "warp"}`, 400, "warp"},
		{"POST", "/binlogs/collect", `{"database": "d"}`, 400, "unknown database d"},
	} {
		code, text := do(wrong.method, wrong.path, wrong.body)
		require.Equal(t, wrong.code, code, wrong.path)
		require.Contains(t, text, wrong.want)
	}
	code, text := do("POST", "/faults", `{"point":"fe.commitTxn","action":"hold"}`)
	require.Equal(t, 200, code, text)
	_, status := do("GET", "/status", "")
	require.Contains(t, status, `"action":"hold"`)
}

// TestCallsAreCounted: the admin port tells which Thrift methods were called how often, and how many
// statements each account has sent.
func TestCallsAreCounted(t *testing.T) {
	c, err := dorisim.Start(t.Context(), dorisim.Config{Name: "one", Admin: true, RootPassword: "x"})
	require.NoError(t, err)
	defer c.Close()
	db := open(t, c)
	exec(t, db, "CREATE DATABASE d", "CREATE DATABASE e")
	require.NoError(t, db.Close())
	fe := frontendservice.NewFrontendServiceClient(dial(t, c.FE(0).ThriftAddr()))
	for range 3 {
		_, err := fe.GetMasterToken(t.Context(), &frontendservice.TGetMasterTokenRequest{})
		require.NoError(t, err)
	}
	response, err := http.Get("http://" + c.AdminAddr() + "/status")
	require.NoError(t, err)
	defer response.Body.Close()
	var status struct {
		Calls struct {
			Thrift     map[string]int `json:"thrift"`
			Statements map[string]int `json:"statements"`
		} `json:"calls"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&status))
	require.Equal(t, map[string]int{"getMasterToken": 3}, status.Calls.Thrift)
	require.Equal(t, map[string]int{"root": 2}, status.Calls.Statements)
}
