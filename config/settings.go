package config

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/doris-ccr/ccr/job"
)

// Group is a set of settings that belong together; a command takes some groups.
type Group string

// The groups, in the order in which help shows them.
const (
	GroupAPI        Group = "HTTP API"
	GroupAccess     Group = "Access over HTTP"
	GroupProcess    Group = "Observing the process"
	GroupTemporal   Group = "Temporal"
	GroupSecrets    Group = "Secrets"
	GroupLog        Group = "Logging"
	GroupWorker     Group = "Worker"
	GroupDoris      Group = "Doris"
	GroupFeatures   Group = "Features"
	GroupStandalone Group = "Embedded Temporal"
)

// allGroups gives the order of help and documentation.
var allGroups = []Group{GroupAPI, GroupAccess, GroupStandalone, GroupTemporal, GroupSecrets, GroupWorker, GroupDoris, GroupFeatures, GroupLog, GroupProcess}

type setting struct {
	name  string
	group Group
	usage string
	// bind returns the place of the setting in a Config.
	bind func(*Config) pflag.Value
	// aliases are names that the existing tool's scripts use (http-api.md 4.1).
	aliases []string
	// secret settings have no flag (command lines can be read by others) and
	// are never shown.
	secret bool
	// beside is the flag with which help shows a secret setting.
	beside string
	// compat settings exist for old scripts only; help does not show them.
	compat bool
}

// env returns the environment variable of the setting.
func (s setting) env() string { return "CCR_" + strings.ToUpper(strings.ReplaceAll(s.name, "-", "_")) }

func text(p func(*Config) *string, kind string) func(*Config) pflag.Value {
	return func(c *Config) pflag.Value { return stringValue{p(c), kind} }
}

// settings is the table. Within one source (file, environment, flags) they are
// applied in this order: port comes after listen, which it changes.
func settings() []setting {
	return append(plainSettings(), featureSettings()...)
}

// featureSettings are the switches of the existing tool (http-api.md 4.2).
func featureSettings() []setting {
	var list []setting
	for i, f := range new(job.Features).Switches() {
		list = append(list, setting{
			name: "feature-" + strings.ReplaceAll(f.Name, "_", "-"), group: GroupFeatures, usage: f.Usage,
			bind: func(c *Config) pflag.Value { return boolValue{c.Features.Switches()[i].Value} },
		})
	}
	return list
}

func plainSettings() []setting {
	return []setting{
		{name: "listen", group: GroupAPI, usage: "Where the HTTP API listens.",
			bind: text(func(c *Config) *string { return &c.Listen }, "host:port")},
		{name: "port", group: GroupAPI, usage: "Port of the HTTP API: changes the port of listen.",
			bind: func(c *Config) pflag.Value { return portValue{&c.Listen} }},
		{name: "command-timeout", group: GroupAPI, usage: "How long a request waits until its job has carried out what was asked. An order waits for the step under way, and if its worker has died that takes a heartbeat-timeout and a second.",
			bind: func(c *Config) pflag.Value { return durationValue{&c.CommandTimeout} }},
		{name: "create-timeout", group: GroupAPI, usage: "How long create_ccr waits for the first checks of a new job.",
			bind: func(c *Config) pflag.Value { return durationValue{&c.CreateTimeout} }},
		{name: "host", group: GroupAPI, compat: true, usage: "Accepted for old scripts, without effect: nodes need no name here.",
			bind: text(func(c *Config) *string { return &c.ignoredHost }, "name")},

		{name: "temporal-ui-url", group: GroupAPI, usage: "Where people reach the Temporal Web UI, to which the console links each job. Empty: no links; of ccr-standalone its own.",
			bind: text(func(c *Config) *string { return &c.TemporalUIURL }, "url")},
		{name: "enable-failpoints", group: GroupAPI, usage: "For tests only: /failpoint makes jobs of this process fail.",
			bind: func(c *Config) pflag.Value { return boolValue{&c.EnableFailpoints} }},

		{name: "tokens-file", group: GroupAccess, usage: "File with bearer tokens and their roles; whoever asks for something needs one of them. Make tokens with: ccr token new. Read again when it changes. Empty: nobody needs a token.",
			bind: text(func(c *Config) *string { return &c.TokensFile }, "path")},
		{name: "tls-cert", group: GroupAccess, usage: "PEM file of the servers' certificate, with intermediate ones after it: API, metrics and profiles then speak HTTPS. Read again when it changes.",
			bind: text(func(c *Config) *string { return &c.TLSCert }, "path")},
		{name: "tls-key", group: GroupAccess, usage: "PEM file of the certificate's key.",
			bind: text(func(c *Config) *string { return &c.TLSKey }, "path")},
		{name: "allowed-hosts", group: GroupAccess, usage: "Names of this server, separated by commas, beside IP addresses and localhost. Where nobody needs a token, and in the Web UI, requests to other names are refused: a page of a stranger may have sent them (DNS rebinding).",
			bind: text(func(c *Config) *string { return &c.AllowedHosts }, "names")},
		{name: "allow-insecure-listen", group: GroupAccess, usage: "Accept listening on addresses other than loopback without tokens or without TLS. Without tokens, whoever reaches the port can read, change and delete every job.",
			bind: func(c *Config) pflag.Value { return boolValue{&c.AllowInsecureListen} }},

		{name: "data-dir", group: GroupStandalone, usage: "Directory of the embedded Temporal's database and of the secret key. Made when missing.",
			bind: text(func(c *Config) *string { return &c.DataDir }, "path")},
		{name: "temporal-listen", group: GroupStandalone, usage: "Where the embedded Temporal listens for workers and command-line tools.",
			bind: text(func(c *Config) *string { return &c.TemporalListen }, "host:port")},
		{name: "ui-listen", group: GroupStandalone, usage: "Where the Temporal Web UI listens; empty for no Web UI.",
			bind: text(func(c *Config) *string { return &c.UIListen }, "host:port")},

		{name: "temporal-address", group: GroupTemporal, usage: "Frontend of the Temporal cluster. Several, separated by commas, are used in turn, and one that dies is left out.",
			bind: text(func(c *Config) *string { return &c.TemporalAddress }, "host:port")},
		{name: "temporal-namespace", group: GroupTemporal, usage: "Namespace of the jobs' workflows.",
			bind: text(func(c *Config) *string { return &c.TemporalNamespace }, "name")},
		{name: "temporal-tls", group: GroupTemporal, usage: "Use TLS; implied by the settings below.",
			bind: func(c *Config) pflag.Value { return boolValue{&c.TemporalTLS} }},
		{name: "temporal-ca", group: GroupTemporal, usage: "PEM file of the authority that signed the server's certificate; empty for the system's.",
			bind: text(func(c *Config) *string { return &c.TemporalCA }, "path")},
		{name: "temporal-cert", group: GroupTemporal, usage: "PEM file of the client certificate. Read again for each connection, and so is its key.",
			bind: text(func(c *Config) *string { return &c.TemporalCert }, "path")},
		{name: "temporal-key", group: GroupTemporal, usage: "PEM file of the client certificate's key.",
			bind: text(func(c *Config) *string { return &c.TemporalKey }, "path")},
		{name: "temporal-server-name", group: GroupTemporal, usage: "Name expected in the server's certificate, if it is not that of the address.",
			bind: text(func(c *Config) *string { return &c.TemporalServerName }, "name")},

		{name: "temporal-api-key", group: GroupTemporal, secret: true, beside: "temporal-api-key-file", usage: "Key that Temporal asks for, as Temporal Cloud does. Implies TLS.",
			bind: text(func(c *Config) *string { return &c.TemporalAPIKey }, "key")},
		{name: "temporal-api-key-file", group: GroupTemporal, usage: "File with such a key; read again for each call, so that it can be exchanged.",
			bind: text(func(c *Config) *string { return &c.TemporalAPIKeyFile }, "path")},

		{name: "secret-key", group: GroupSecrets, secret: true, beside: "secret-key-file", usage: "Key that seals the passwords of Doris accounts: 32 bytes in base64 or hex (openssl rand -base64 32). Several, separated by commas: the first seals, all open. The same for every process.",
			bind: text(func(c *Config) *string { return &c.SecretKey }, "key")},
		{name: "secret-key-file", group: GroupSecrets, usage: "File with such keys, one a line, used when secret-key is not set.",
			bind: text(func(c *Config) *string { return &c.SecretKeyFile }, "path")},

		{name: "stream-slots", group: GroupWorker, usage: "Jobs that this process can stream at the same time.",
			bind: func(c *Config) pflag.Value { return intValue{&c.StreamSlots} }},
		{name: "verify-slots", group: GroupWorker, usage: "Tables that this process verifies at the same time, over all jobs; the others wait.",
			bind: func(c *Config) pflag.Value { return intValue{&c.VerifySlots} }},
		{name: "pipeline-window", group: GroupWorker, usage: "Destination transactions of one job that are open at the same time.",
			aliases: []string{"max-pipeline-ingesting-num"},
			bind:    func(c *Config) pflag.Value { return intValue{&c.PipelineWindow} }},
		{name: "shared-upserts", group: GroupWorker, usage: "Loads of the source that may share one transaction of the destination, 64 at most, where several wait. 1: none. One table several times in a transaction takes Doris 3.0 on the destination.",
			bind: func(c *Config) pflag.Value { return intValue{&c.SharedUpserts} }},
		{name: "binlog-batch-size", group: GroupWorker, usage: "Binlogs asked for in one call.",
			bind: func(c *Config) pflag.Value { return intValue{&c.BinlogBatchSize} }},
		{name: "ingest-concurrency", group: GroupWorker, usage: "Ingests in flight per destination backend, over all jobs of this process.",
			aliases: []string{"max-ingest-concurrency-per-backend"},
			bind:    func(c *Config) pflag.Value { return intValue{&c.IngestConcurrency} }},
		{name: "idle-poll-min", group: GroupWorker, usage: "Shortest interval between looks at a source that had nothing new.",
			bind: func(c *Config) pflag.Value { return durationValue{&c.IdlePollMin} }},
		{name: "idle-poll-max", group: GroupWorker, usage: "Longest such interval.",
			bind: func(c *Config) pflag.Value { return durationValue{&c.IdlePollMax} }},
		{name: "poll-budget", group: GroupWorker, usage: "Looks a second at one source cluster by all idle jobs of this process. Its busy jobs share twice as many beside them, and those whose source has been silent for a minute three eighths.",
			bind: func(c *Config) pflag.Value { return intValue{&c.PollBudget} }},
		{name: "compare-every", group: GroupWorker, usage: "How often each job compares a table that nobody writes with the destination's: definition and number of rows. 0 switches it off.",
			bind: func(c *Config) pflag.Value { return durationValue{&c.CompareEvery} }},
		{name: "heartbeat-timeout", group: GroupWorker, usage: "How long a silent process keeps its jobs before Temporal gives them to another. 30s spares Temporal work when there are more than 200 jobs.",
			bind: func(c *Config) pflag.Value { return durationValue{&c.HeartbeatTimeout} }},
		{name: "temporal-payload-limit", group: GroupWorker, usage: "How many bytes a job's state may have, a little less than Temporal's limit.blobSize.error (2 MiB unless it was raised). Beyond it the job stands and says so, where Temporal would end it.",
			bind: func(c *Config) pflag.Value { return intValue{&c.PayloadLimit} }},
		{name: "webhook-url", group: GroupWorker, usage: "Address that gets a POST for each change of a job's state; the same for every process. See docs/operations.md.",
			bind: text(func(c *Config) *string { return &c.WebhookURL }, "url")},
		{name: "webhook-secret", group: GroupWorker, secret: true, beside: "webhook-url", usage: "Signs the bodies of these requests (HMAC-SHA256, header X-Ccr-Signature-256).",
			bind: text(func(c *Config) *string { return &c.WebhookSecret }, "text")},

		{name: "doris-tls", group: GroupDoris, usage: "Whether SQL connections to frontends are encrypted, and what the frontend has to prove: nothing (required), a certificate of doris-ca (verify-ca), and one for the host that the job names, too (verify-full). Thrift has no encryption in Doris: see docs/security.md.",
			bind: func(c *Config) pflag.Value {
				return choiceValue{p: &c.DorisTLS, words: job.TLSModes()}
			}},
		{name: "doris-tls-min", group: GroupDoris, usage: "The least that tls of a side of a job may ask for; empty for what doris-tls says. See docs/security.md.",
			bind: func(c *Config) pflag.Value {
				return choiceValue{p: &c.DorisTLSMin, words: job.TLSModes()}
			}},
		{name: "doris-ca", group: GroupDoris, usage: "PEM file of the authority that signed the frontends' certificates; empty for the system's.",
			bind: text(func(c *Config) *string { return &c.DorisCA }, "path")},
		{name: "doris-cert", group: GroupDoris, usage: "PEM file of the certificate that frontends with ssl_force_client_auth ask for. Read again for each connection, and so is its key.",
			bind: text(func(c *Config) *string { return &c.DorisCert }, "path")},
		{name: "doris-key", group: GroupDoris, usage: "PEM file of that certificate's key.",
			bind: text(func(c *Config) *string { return &c.DorisKey }, "path")},
		{name: "connect-timeout", group: GroupDoris, usage: "Time to connect to a frontend or backend.",
			bind: func(c *Config) pflag.Value { return durationValue{&c.ConnectTimeout} }},
		{name: "rpc-timeout", group: GroupDoris, usage: "Time for one call to a frontend or backend.",
			bind: func(c *Config) pflag.Value { return durationValue{&c.RPCTimeout} }},
		{name: "commit-timeout", group: GroupDoris, usage: "Time for one commit on the destination.",
			aliases: []string{"commit-txn-timeout"},
			bind:    func(c *Config) pflag.Value { return durationValue{&c.CommitTimeout} }},

		{name: "log-level", group: GroupLog, usage: "Least level that is logged.",
			bind: func(c *Config) pflag.Value {
				return choiceValue{&c.LogLevel, []string{"debug", "info", "warn", "error"}, map[string]string{"trace": "debug", "warning": "warn", "fatal": "error"}}
			}},
		{name: "log-format", group: GroupLog, usage: "Form of log lines.",
			bind: func(c *Config) pflag.Value { return choiceValue{p: &c.LogFormat, words: []string{"text", "json"}} }},

		{name: "metrics-listen", group: GroupProcess, usage: "Where a process without API serves /metrics and /healthz; empty for nowhere. A process with API has them there.",
			bind: text(func(c *Config) *string { return &c.MetricsListen }, "host:port")},
		{name: "pprof-listen", group: GroupProcess, usage: "Where Go profiles are served under /debug/pprof/; empty for nowhere.",
			bind: text(func(c *Config) *string { return &c.PprofListen }, "host:port")},
	}
}
