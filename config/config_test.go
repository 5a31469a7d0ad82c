package config

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

var everything = allGroups

// load is Load with a command line, variables and a file ("" = none).
func load(t *testing.T, file string, environ []string, args ...string) (Config, error) {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Bind(flags, everything...)
	require.NoError(t, flags.Parse(args))
	if file != "" {
		path := filepath.Join(t.TempDir(), "ccr.yaml")
		require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
		environ = append(environ, "CCR_CONFIG="+path)
	}
	return Load(flags, environ)
}

func TestNothingIsNeeded(t *testing.T) {
	c, err := load(t, "", []string{"PATH=/bin", "HOME=/root"})
	require.NoError(t, err)
	c.origins = nil
	require.Equal(t, Default(), c)
}

func TestWhatIsNearerWins(t *testing.T) {
	file := "rpc-timeout: 1s\nconnect_timeout: 1s\ncommit-timeout: 1s\nlog-level: warn\n"
	env := []string{"CCR_CONNECT_TIMEOUT=2s", "CCR_COMMIT_TIMEOUT=2s"}
	c, err := load(t, file, env, "--commit-timeout=3s")
	require.NoError(t, err)
	require.Equal(t, time.Second, c.RPCTimeout)
	require.Equal(t, 2*time.Second, c.ConnectTimeout)
	require.Equal(t, 3*time.Second, c.CommitTimeout)
	require.Equal(t, "warn", c.LogLevel)
	require.Equal(t, 15*time.Second, c.CommandTimeout)

	shown := c.Effective(GroupDoris, GroupAPI)
	require.Contains(t, shown, "commit-timeout: 3s  # flag --commit-timeout\n")
	require.Contains(t, shown, "connect-timeout: 2s  # environment CCR_CONNECT_TIMEOUT\n")
	require.Contains(t, shown, "ccr.yaml\n")
	require.Contains(t, shown, "listen: \"127.0.0.1:9190\"  # default\n")
}

// TestEverySettingHasThreeSources sets each to a value other than its default
// in each way and expects the same configuration.
func TestEverySettingHasThreeSources(t *testing.T) {
	other := map[string]string{"host:port": "127.0.0.1:1", "number": "7", "duration": "7ms", "bool": "true", "name": "n", "path": "p", "key": "k",
		"debug|info|warn|error": "error", "text|json": "json", "off|required|verify-ca|verify-full": "required", "url": "https://hooks.example.com/x", "text": "t", "names": "n"}
	for _, s := range settings() {
		fresh := Default()
		kind := s.bind(&fresh).Type()
		value, ok := other[kind]
		require.True(t, ok, kind)
		if kind == "bool" && s.bind(&fresh).String() == "true" {
			value = "false"
		}
		want := Default()
		require.NoError(t, s.bind(&want).Set(value))
		require.NotEqual(t, Default(), want, "%s shares its place or does nothing", s.name)
		if slices.Contains([]string{"temporal-cert", "temporal-key", "tls-cert", "tls-key", "doris-tls-min", "doris-ca", "doris-cert", "doris-key", "idle-poll-max"}, s.name) {
			continue // not valid on their own
		}
		same := func(c Config, err error) {
			t.Helper()
			require.NoError(t, err, s.name)
			c.origins, c.Warnings = nil, nil
			require.Equal(t, want, c, s.name)
		}
		same(load(t, s.name+": "+value, nil))
		same(load(t, "", []string{s.env() + "=" + value}))
		if !s.secret {
			same(load(t, "", nil, "--"+s.name+"="+value))
		}
	}
}

// Kubernetes puts CCR_PORT=tcp://... into pods beside a service named ccr.
func TestKubernetesServiceLinksAreNoSettings(t *testing.T) {
	c, err := load(t, "", []string{"CCR_PORT=tcp://10.96.0.7:9190"})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9190", c.Listen)
	require.Contains(t, strings.Join(c.Warnings, "\n"), "CCR_PORT is Kubernetes' link")
	_, err = load(t, "", []string{"CCR_PORT=http"})
	require.ErrorContains(t, err, "is not a port number")
}

func TestOldNamesWork(t *testing.T) {
	c, err := load(t, "", nil, "--port=9200", "--host=node1", "--log_level=trace", "--commit_txn_timeout=40s",
		"--max_ingest_concurrency_per_backend=3", "--binlog_batch_size=16", "--max_pipeline_ingesting_num=4")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:9200", c.Listen)
	require.Equal(t, "debug", c.LogLevel)
	require.Equal(t, 40*time.Second, c.CommitTimeout)
	require.Equal(t, 3, c.IngestConcurrency)
	require.Equal(t, 16, c.BinlogBatchSize)
	require.Equal(t, 4, c.PipelineWindow)
	require.Equal(t, []string{"host (flag --host) has no effect here"}, c.Warnings)

	c, err = load(t, "listen: 127.0.0.2:80\nport: 81\n", nil)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.2:81", c.Listen)
}

func TestOpenAddressesAreRefusedUnlessAskedFor(t *testing.T) {
	for _, address := range []string{":9190", "0.0.0.0:9190", "10.0.0.1:9190", "[::]:9190", "example.com:1"} {
		for _, flag := range []string{"--listen=", "--pprof-listen=", "--temporal-listen=", "--ui-listen=", "--metrics-listen="} {
			_, err := load(t, "", nil, flag+address)
			require.ErrorIs(t, err, ErrInsecureListen, flag+address)
			_, err = load(t, "", nil, flag+address, "--allow-insecure-listen")
			require.NoError(t, err)
		}
	}
	for _, address := range []string{"127.0.0.1:0", "127.8.9.10:1", "localhost:9190", "[::1]:9190"} {
		_, err := load(t, "", nil, "--listen="+address)
		require.NoError(t, err)
	}
}

func TestTokensAndTLSOpenAddresses(t *testing.T) {
	guarded := []string{"--tokens-file=t", "--tls-cert=c", "--tls-key=k"}
	for _, flag := range []string{"--listen=", "--pprof-listen=", "--metrics-listen="} {
		_, err := load(t, "", nil, append(guarded, flag+"0.0.0.0:1")...)
		require.NoError(t, err)
		for _, half := range [][]string{guarded[:1], guarded[1:]} {
			_, err := load(t, "", nil, append(slices.Clone(half), flag+"0.0.0.0:1")...)
			require.ErrorIs(t, err, ErrInsecureListen, half)
		}
	}
	for _, flag := range []string{"--temporal-listen=", "--ui-listen="} {
		_, err := load(t, "", nil, append(guarded, flag+"0.0.0.0:1")...)
		require.ErrorIs(t, err, ErrInsecureListen, "Temporal has no tokens")
	}
	_, err := load(t, "", nil, "--tls-cert=c")
	require.ErrorContains(t, err, "tls-cert and tls-key have to be given together")
}

func TestMistakesAreSaid(t *testing.T) {
	for _, tt := range []struct{ file, env, flag, want string }{
		{file: "listn: x\n", want: `ccr.yaml:1: there is no setting "listn"`},
		{file: "\nrpc-timeout: 5\n", want: `ccr.yaml:2: rpc-timeout: "5" is not a duration such as 500ms, 30s or 10m`},
		{file: "log-level: [a]\n", want: "ccr.yaml:1: log-level: one value is wanted, not a list or map"},
		{file: ":", want: "read configuration"},
		{env: "CCR_STREAM_SLOTS=many", want: `environment CCR_STREAM_SLOTS: stream-slots: "many" is not a whole number`},
		{env: "CCR_CONFIG=/does/not/exist", want: "read configuration"},
		{flag: "--stream-slots=0", want: "stream-slots is 0: it has to be at least 1"},
		{flag: "--rpc-timeout=-1s", want: "rpc-timeout is -1s: it has to be more than zero"},
		{flag: "--listen=nowhere", want: `listen "nowhere": not host:port`},
		{flag: "--listen=127.0.0.1:x", want: `port "x" is not a number`},
		{flag: "--idle-poll-min=2s", want: "idle-poll-min 2s is more than idle-poll-max 1s"},
		{flag: "--temporal-cert=x", want: "temporal-cert and temporal-key have to be given together"},
	} {
		var env, args []string
		if tt.env != "" {
			env = append(env, tt.env)
		}
		if tt.flag != "" {
			args = append(args, tt.flag)
		}
		_, err := load(t, tt.file, env, args...)
		require.ErrorContains(t, err, tt.want)
	}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Bind(flags, everything...)
	require.ErrorContains(t, flags.Parse([]string{"--log-level=loud"}), `"loud" is not one of debug, info, warn, error`)

	c, err := load(t, "", []string{"CCR_LISTN=x"})
	require.NoError(t, err)
	require.Equal(t, []string{"environment variable CCR_LISTN is not a setting: ignored"}, c.Warnings)
}

func TestSecretsAreNotShown(t *testing.T) {
	c, err := load(t, "", []string{"CCR_SECRET_KEY=hunter2"})
	require.NoError(t, err)
	require.Equal(t, "hunter2", c.SecretKey)
	shown := c.Effective(everything...)
	require.NotContains(t, shown, "hunter2")
	require.Contains(t, shown, "secret-key: \"******\"  # environment CCR_SECRET_KEY\n")
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Bind(flags, everything...)
	require.Nil(t, flags.Lookup("secret-key"), "command lines can be read by others")
}

// TestEffectiveCanBeReadBack: the output of "ccr config" is a valid file.
func TestEffectiveCanBeReadBack(t *testing.T) {
	c, err := load(t, "", nil, "--listen=127.0.0.1:1", "--temporal-namespace=a b: #c", "--data-dir=/x\\y")
	require.NoError(t, err)
	again, err := load(t, c.Effective(everything...), nil)
	require.NoError(t, err)
	c.origins, again.origins = nil, nil
	require.Equal(t, c, again)
}

func TestHelpFitsATerminal(t *testing.T) {
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	Bind(flags, everything...)
	help := Help(flags)
	for _, line := range strings.Split(help, "\n") {
		require.LessOrEqual(t, len(line), 80, line)
	}
	for _, s := range settings() {
		if !s.compat {
			require.Contains(t, help, s.env())
		}
	}
	require.Contains(t, help, "Default: 127.0.0.1:9190.")
}

// Tokens do not help while another door stands open: the log says which.
func TestOpenDoorsAreTold(t *testing.T) {
	warnings := func(args ...string) string {
		t.Helper()
		c, err := load(t, "", nil, args...)
		require.NoError(t, err)
		return strings.Join(c.Warnings, "\n")
	}
	require.Empty(t, warnings("--tokens-file=t"))
	require.Empty(t, warnings("--temporal-address=temporal:7233"), "without tokens nothing is promised")
	require.Empty(t, warnings("--tokens-file=t", "--temporal-address=127.0.0.1:7233,localhost:7234"))
	require.Empty(t, warnings("--tokens-file=t", "--temporal-address=temporal:7233", "--temporal-tls"))
	require.Contains(t, warnings("--tokens-file=t", "--temporal-address=127.0.0.1:7233, temporal:7233"), "Temporal at temporal:7233 is reached without TLS")
	said := warnings("--tokens-file=t", "--allow-insecure-listen", "--temporal-listen=0.0.0.0:7233", "--ui-listen=10.0.0.5:8233")
	require.Contains(t, said, "the embedded Temporal at 0.0.0.0:7233 (temporal-listen) asks nobody for anything: whoever reaches it can steer every job")
	require.Contains(t, said, "the Temporal Web UI at 10.0.0.5:8233 (ui-listen)")
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	c := Config{LogLevel: "warn", LogFormat: "json"}
	log := c.NewLogger(&out)
	log.Info("quiet")
	log.Warn("loud")
	require.NotContains(t, out.String(), "quiet")
	require.Contains(t, out.String(), `"msg":"loud"`)
}

func TestTemporalTLS(t *testing.T) {
	c := Default()
	got, err := c.TemporalTLSConfig()
	require.NoError(t, err)
	require.Nil(t, got)
	c.TemporalServerName = "temporal.example"
	got, err = c.TemporalTLSConfig()
	require.NoError(t, err)
	require.Equal(t, "temporal.example", got.ServerName)
	c.TemporalCA = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(c.TemporalCA, []byte("no PEM"), 0o600))
	_, err = c.TemporalTLSConfig()
	require.ErrorContains(t, err, "holds no PEM certificate")
}

// Files that would not be used are mistakes: whoever names an authority believes to
// be protected by it.
func TestDorisTLSMistakes(t *testing.T) {
	for text, args := range map[string][]string{
		"set it to verify-ca or verify-full": {"--doris-ca=ca.pem"},
		"which verifies nothing":             {"--doris-tls=required", "--doris-ca=ca.pem"},
		"given together":                     {"--doris-tls=verify-ca", "--doris-cert=c.pem"},
	} {
		_, err := load(t, "", nil, args...)
		require.ErrorContains(t, err, text)
	}
	c, err := load(t, "", nil)
	require.NoError(t, err)
	over, err := c.SQLTLS()
	require.NoError(t, err)
	off, err := over(job.SideTLS{})
	require.NoError(t, err)
	require.Nil(t, off)
}

// A job's own TLS for a side: what it says counts, but never less than the process allows.
func TestTLSOfASide(t *testing.T) {
	for _, tt := range []struct {
		args    []string
		side    string
		refused string
		plain   bool
	}{
		{nil, "", "", true},
		{nil, "off", "", true},
		{nil, "verify-full", "", false},
		{[]string{"--doris-tls=required"}, "", "", false},
		{[]string{"--doris-tls=required"}, "verify-ca", "", false},
		{[]string{"--doris-tls=required"}, "off", "the job asks for off, doris-tls of the workers is required", false},
		{[]string{"--doris-tls=verify-full"}, "verify-ca", "doris-tls of the workers is verify-full", false},
		{[]string{"--doris-tls=verify-full", "--doris-tls-min=off"}, "off", "", true},
		{[]string{"--doris-tls=verify-full", "--doris-tls-min=off"}, "", "", false},
		{[]string{"--doris-tls=verify-full", "--doris-tls-min=verify-ca"}, "required", "doris-tls-min of the workers is verify-ca", false},
	} {
		c, err := load(t, "", nil, tt.args...)
		require.NoError(t, err)
		over, err := c.SQLTLS()
		require.NoError(t, err)
		got, err := over(job.SideTLS{TLS: tt.side})
		if tt.refused != "" {
			require.ErrorIs(t, err, ErrWeakTLS)
			require.ErrorContains(t, err, tt.refused)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, tt.plain, got == nil, "%v %s", tt.args, tt.side)
		if got != nil {
			mode := cmp.Or(tt.side, c.DorisTLS)
			require.Equal(t, mode != "verify-full", got.InsecureSkipVerify)
			require.Equal(t, mode == "verify-ca", got.VerifyConnection != nil)
		}
	}
	_, err := load(t, "", nil, "--doris-tls=required", "--doris-tls-min=verify-ca")
	require.ErrorContains(t, err, "doris-tls required is less than doris-tls-min verify-ca")
}
