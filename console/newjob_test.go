package console

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// newJobForm is a form that is complete.
func newJobForm() url.Values {
	return url.Values{
		"name": {"shop"}, "src.host": {"fe1"}, "src.port": {"9030"}, "src.thrift_port": {"9020"}, "src.user": {"ccr"}, "src.password": {"it's s3cret"}, "src.database": {"shop"},
		"dest.host": {"fe2"}, "dest.port": {"9030"}, "dest.thrift_port": {"9020"}, "dest.user": {"ccr"}, "dest.password": {""}, "dest.database": {"copy"},
		"exclude": {"*_tmp, x"}, "src.host_mapping": {"10.0.0.1 = fe1"}, "replication_num": {"2"}, "allow_table_exists": {"1"},
		"dest.tls": {"verify-ca"}, "dest.tls_ca": {"pem "},
	}
}

const newJobBody = `{"name":"shop","src":{"host":"fe1","port":"9030","thrift_port":"9020","user":"ccr","password":"it's s3cret","database":"shop","table":"","host_mapping":{"10.0.0.1":"fe1"}},` +
	`"dest":{"host":"fe2","port":"9030","thrift_port":"9020","user":"ccr","password":"","database":"copy","table":"","tls":"verify-ca","tls_ca":"pem"},"exclude_tables":["*_tmp","x"],"replication_num":2,"allow_table_exists":true}`

func TestNewJob(t *testing.T) {
	b := newSite(t, &fakeBackend{}, false)
	require.Contains(t, b.get("/console/new"), `value="9030"`)

	form := newJobForm()
	form.Set("do", "check")
	b.backend.checks = job.CheckReport{Checks: []job.CheckResult{{Check: "name", Status: job.CheckPass}, {Check: "source: binlogs", Status: job.CheckFail, Detail: "they are <off>", Remedy: "switch them on"}}}
	rec := b.send("/console/new", "/console/new", form)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Equal(t, []string{newJobBody}, b.backend.checked)
	page := rec.Body.String()
	for _, text := range []string{"they are &lt;off&gt;", "switch them on", `class="result fail"`, "password_env: SRC_PASSWORD", "curl -X POST"} {
		require.Contains(t, page, text)
	}
	require.Regexp(t, `(?s)source: binlogs.*<b>name</b>`, page, "what is wrong comes first")
	require.NotContains(t, page, "s3cret", "passwords never come back")
	require.Empty(t, b.backend.orders, "a check creates nothing")

	form.Del("dest.host")
	rec = b.send("/console/new", "/console/new", form)
	require.Len(t, b.backend.checked, 1, "what is not complete is not checked")
	require.Equal(t, http.StatusOK, rec.Code)

	form = newJobForm()
	form.Set("do", "create")
	rec = b.send("/console/new", "/console/new", form)
	require.Equal(t, http.StatusSeeOther, rec.Code)
	require.Equal(t, "../console/job?name=shop", rec.Header().Get("Location"))
	require.Equal(t, []string{"create " + newJobBody}, b.backend.orders)

	b.backend.refusal = errors.New("job is invalid: no <binlogs>")
	rec = b.send("/console/new", "/console/new", form)
	require.Equal(t, http.StatusUnprocessableEntity, rec.Code)
	require.Contains(t, rec.Body.String(), "no &lt;binlogs&gt;")
	require.Contains(t, rec.Body.String(), `value="fe2"`)
	b.backend.refusal = Pending(errors.New("the checks go on"))
	require.Equal(t, http.StatusAccepted, b.send("/console/new", "/console/new", form).Code)

}

// TestMistakesInTheFormOfANewJob: each is told in the form's words, beside the form while somebody fills it in, and when the
// job is to be created. Nobody is asked then.
func TestMistakesInTheFormOfANewJob(t *testing.T) {
	for key, wrong := range map[string]struct{ value, text string }{
		"replication_num":  {"many", "The number of replicas is a number."},
		"src.host_mapping": {"nonsense", "A line is: private address = public address: nonsense"},
		"src.port":         {"s3cret", "Source, MySQL port: A port is a number up to 65535"},
		"src.thrift_port":  {"70000", "Source, Thrift port: A port is a number up to 65535"},
		"dest.port":        {"0", "Destination, MySQL port: A port is a number up to 65535"},
		"dest.thrift_port": {"9020.5", "Destination, Thrift port: A port is a number up to 65535"},
	} {
		b := newSite(t, &fakeBackend{}, false)
		form := newJobForm()
		form.Set(key, wrong.value)
		for do, status := range map[string]int{"check": http.StatusOK, "create": http.StatusUnprocessableEntity} {
			form.Set("do", do)
			rec := b.send("/console/new", "/console/new", form)
			require.Equal(t, status, rec.Code, key)
			require.Contains(t, rec.Body.String(), `<p class="notice bad"`+map[string]string{"create": ` role="alert"`}[do]+`>`+wrong.text+"</p>", key)
		}
		require.Empty(t, b.backend.checked)
		require.Empty(t, b.backend.orders)
	}
}

// TestShownRequests: whoever pastes them sends what the form would.
func TestShownRequests(t *testing.T) {
	asYAML, asCurl, err := newJobRequest{Name: "it's", Src: newJobSide{Password: "s3cret"}}.shown()
	require.NoError(t, err)
	require.Contains(t, asCurl, `"name": "it'\''s"`)
	require.NotContains(t, asYAML+asCurl, "s3cret")
	require.Contains(t, asYAML, "password_env: SRC_PASSWORD")
}

func TestClusters(t *testing.T) {
	soon, later := time.Now().Add(time.Hour), time.Now().Add(48*time.Hour)
	alive := true
	f := &fakeBackend{unanswered: []string{"silent"}, clusters: []Cluster{{
		Name: "fe1:9030", SeenThrough: "b",
		Seen: job.ClusterSeen{Version: "2.1.8", Frontends: []job.FrontendSeen{{Host: "fe1", Private: "10.0.0.1", Port: 9030, IsMaster: true, Alive: &alive, Reached: true}},
			Backends: []job.BackendSeen{{ID: 10001, Host: "be1", Alive: true, Error: "connection refused"}, {ID: 10002, Host: "be2"}},
			Logs:     []job.LogKept{{LogOf: job.LogOf{Database: "shop"}, Enabled: true, TTLSeconds: 86400}}, Limits: map[string]string{"max_running_txn_num_per_db": "1000"}},
		Jobs: []ClusterJob{{Name: "a", Side: "src", State: "running", PlaceKeptUntil: later}, {Name: "c", Side: "dest", State: "running"}, {Name: "b", Side: "src", State: "paused", PlaceKeptUntil: soon}},
	}}}
	b := newSite(t, f, false)
	page := b.get("/console/clusters")
	for _, text := range []string{"2.1.8", "(10.0.0.1)", "not reached", "connection refused", "dead", "1 d 0 h", "max_running_txn_num_per_db", soon.Local().Format(time.DateTime), "silent"} {
		require.Contains(t, page, text)
	}
	require.Regexp(t, `(?s)name=b">b<.*name=a">a<.*name=c">c<`, page, "who loses its place first comes first")
	f.err = errors.New("temporal is not reachable")
	require.Equal(t, http.StatusServiceUnavailable, b.do(http.MethodGet, "/console/clusters", nil).Code)
}
