package dorisim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
