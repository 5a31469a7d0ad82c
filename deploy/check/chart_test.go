package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type object = map[string]any

func merge(into, from object) {
	for k, v := range from {
		if below, ok := v.(object); ok {
			if old, ok := into[k].(object); ok {
				merge(old, below)
				continue
			}
		}
		into[k] = v
	}
}

// at walks into nested objects and lists.
func at(t *testing.T, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, ok := v.(object)
			require.True(t, ok, "%v in %v", p, v)
			require.Contains(t, m, p)
			v = m[p]
		case int:
			v = v.([]any)[p]
		}
	}
	return v
}

// envOf is a pod's environment.
func envOf(t *testing.T, deployment object) map[string]string {
	env := map[string]string{}
	for _, e := range at(t, deployment, "spec", "template", "spec", "containers", 0, "env").([]any) {
		name := e.(object)["name"].(string)
		require.NotContains(t, env, name)
		if from, ok := e.(object)["valueFrom"]; ok {
			env[name] = "secret " + at(t, from, "secretKeyRef", "name").(string) + " " + at(t, from, "secretKeyRef", "key").(string)
			continue
		}
		env[name] = e.(object)["value"].(string)
	}
	return env
}

func TestChartDefaultsAreRefused(t *testing.T) {
	_, err := render(t, nil)
	require.ErrorContains(t, err, "openssl rand -base64 32")
	_, err = render(t, object{"secretKey": object{"existingSecret": "s"}, "access": object{"tokens": []any{"a read x"}}})
	require.ErrorContains(t, err, "access.tlsSecret are needed")
}

// A misspelt or impossible value is told before anything is installed.
func TestChartValuesAreChecked(t *testing.T) {
	good := object{"secretKey": object{"existingSecret": "s"}, "access": object{"allowInsecure": true}}
	_, err := render(t, good)
	require.NoError(t, err)
	for _, wrong := range []object{
		{"wroker": object{"replicas": 3}},
		{"worker": object{"replica": 3}},
		{"worker": object{"replicas": "three"}},
		{"worker": object{"env": object{"STREAM_SLOTS": 500}}},
		{"log": object{"level": "loud"}},
		{"api": object{"service": object{"port": 0}}},
		{"webhook": object{"secret": object{"name": "hook"}}},
	} {
		values := object{}
		merge(values, good)
		merge(values, wrong)
		_, err := render(t, values)
		require.Error(t, err, wrong)
	}
}

func TestChart(t *testing.T) {
	objects, err := render(t, object{
		"secretKey": object{"keys": []any{"new", "old"}},
		"access":    object{"tokens": []any{"prometheus read abc"}, "tlsSecret": "cert"},
		"worker":    object{"replicas": 3, "env": object{"CCR_STREAM_SLOTS": 500}},
		"temporal":  object{"tls": object{"enabled": true, "existingSecret": "temporal-tls", "clientCertificate": true}},
		"ingress":   object{"enabled": true, "tlsSecret": "web"},
		"serviceMonitor": object{"enabled": true, "tlsConfig": object{"insecureSkipVerify": true},
			"bearerTokenSecret": object{"name": "token", "key": "t"}},
		"webhook":        object{"url": "https://hooks.example.com", "secret": object{"name": "hook", "key": "secret"}},
		"extraEnv":       []any{object{"name": "GOMEMLIMIT", "value": "1GiB"}},
		"prometheusRule": object{"enabled": true}, "grafanaDashboard": object{"enabled": true},
	})
	require.NoError(t, err)
	var ids []string
	for id := range objects {
		ids = append(ids, id)
	}
	require.ElementsMatch(t, []string{
		"Deployment prod-ccr-api", "Deployment prod-ccr-worker", "Service prod-ccr", "Service prod-ccr-worker",
		"Secret prod-ccr-key", "Secret prod-ccr-tokens", "ServiceAccount prod-ccr",
		"PodDisruptionBudget prod-ccr-api", "PodDisruptionBudget prod-ccr-worker", "Ingress prod-ccr",
		"ServiceMonitor prod-ccr-api", "ServiceMonitor prod-ccr-worker", "PrometheusRule prod-ccr", "ConfigMap prod-ccr-dashboard",
	}, ids)

	require.Equal(t, "new\nold", at(t, objects["Secret prod-ccr-key"], "stringData", "secret.key"))
	require.Equal(t, "prometheus read abc\n", at(t, objects["Secret prod-ccr-tokens"], "stringData", "tokens"))
	worker, api := objects["Deployment prod-ccr-worker"], objects["Deployment prod-ccr-api"]
	require.Equal(t, 3, at(t, worker, "spec", "replicas"))
	env := envOf(t, worker)
	require.Equal(t, map[string]string{
		"CCR_TEMPORAL_ADDRESS": "temporal-frontend.temporal.svc:7233", "CCR_TEMPORAL_NAMESPACE": "default", "CCR_TEMPORAL_TLS": "true",
		"CCR_TEMPORAL_CA": "/etc/ccr/temporal/ca.crt", "CCR_TEMPORAL_CERT": "/etc/ccr/temporal/tls.crt", "CCR_TEMPORAL_KEY": "/etc/ccr/temporal/tls.key",
		"CCR_SECRET_KEY_FILE": "/etc/ccr/key/secret.key", "CCR_TOKENS_FILE": "/etc/ccr/tokens/tokens",
		"CCR_TLS_CERT": "/etc/ccr/tls/tls.crt", "CCR_TLS_KEY": "/etc/ccr/tls/tls.key",
		"CCR_METRICS_LISTEN": "0.0.0.0:9191", "CCR_LOG_LEVEL": "info", "CCR_LOG_FORMAT": "json", "CCR_STREAM_SLOTS": "500",
		"CCR_WEBHOOK_URL": "https://hooks.example.com", "CCR_WEBHOOK_SECRET": "secret hook secret", "GOMEMLIMIT": "1GiB",
	}, env)
	delete(env, "GOMEMLIMIT") // Go's own
	require.Equal(t, "0.0.0.0:9190", envOf(t, api)["CCR_LISTEN"])
	requireSettings(t, env)
	env = envOf(t, api)
	delete(env, "GOMEMLIMIT")
	requireSettings(t, env)
	for _, d := range []object{worker, api} {
		requirePod(t, d)
	}
	require.Equal(t, "ccr-worker", at(t, objects["ServiceMonitor prod-ccr-worker"], "spec", "endpoints", 0, "relabelings", 0, "replacement"))
	require.NotEmpty(t, at(t, objects["PrometheusRule prod-ccr"], "spec", "groups", 0, "rules", 0, "alert"))
	for copied, from := range map[string]string{"files/rules.yml": "../prometheus/rules.yml", "files/dashboard.json": "../grafana/ccr.json"} {
		is, err := os.ReadFile(filepath.Join(chartDir, copied))
		require.NoError(t, err)
		want, err := os.ReadFile(from)
		require.NoError(t, err)
		require.Equal(t, string(want), string(is), "copy %s to %s", from, copied)
	}
}

// requirePod: every mount has its volume, probes ask over TLS, what the process
// reads it may read, and selectors find the pods.
func requirePod(t *testing.T, deployment object) {
	t.Helper()
	pod := at(t, deployment, "spec", "template", "spec")
	volumes := map[any]bool{}
	for _, v := range at(t, pod, "volumes").([]any) {
		volumes[v.(object)["name"]] = true
		require.Equal(t, 0o440, at(t, v, "secret", "defaultMode"))
	}
	mounts := at(t, pod, "containers", 0, "volumeMounts").([]any)
	require.Len(t, mounts, len(volumes))
	for _, m := range mounts {
		require.True(t, volumes[m.(object)["name"]], m)
	}
	require.Equal(t, "HTTPS", at(t, pod, "containers", 0, "readinessProbe", "httpGet", "scheme"))
	require.Equal(t, 65532, at(t, pod, "securityContext", "fsGroup"))
	require.Equal(t, true, at(t, pod, "securityContext", "runAsNonRoot"))
	require.GreaterOrEqual(t, at(t, pod, "terminationGracePeriodSeconds").(int), 45)
	require.Equal(t, false, at(t, pod, "enableServiceLinks"), "CCR_PORT would be set")
	require.NotEmpty(t, at(t, pod, "containers", 0, "resources", "limits", "memory"))
	require.NotEmpty(t, at(t, pod, "containers", 0, "resources", "requests", "cpu"))
	require.Len(t, at(t, pod, "topologySpreadConstraints"), 2)
	labels := at(t, deployment, "spec", "template", "metadata", "labels").(object)
	for k, v := range at(t, deployment, "spec", "selector", "matchLabels").(object) {
		require.Equal(t, v, labels[k])
	}
}

// requireSettings: the variables are settings that ccr knows.
func requireSettings(t *testing.T, env map[string]string) {
	t.Helper()
	known, err := os.ReadFile("../../docs/configuration.md")
	require.NoError(t, err)
	for name := range env {
		require.Contains(t, string(known), "`"+name+"`")
	}
}

// A changed key starts the pods anew, and own secrets are used instead of made.
func TestChartSecrets(t *testing.T) {
	checksum := func(keys ...any) any {
		objects, err := render(t, object{"secretKey": object{"keys": keys}, "access": object{"allowInsecure": true}})
		require.NoError(t, err)
		d := objects["Deployment prod-ccr-api"]
		require.Equal(t, "true", envOf(t, d)["CCR_ALLOW_INSECURE_LISTEN"])
		require.Equal(t, "HTTP", at(t, d, "spec", "template", "spec", "containers", 0, "readinessProbe", "httpGet", "scheme"))
		return at(t, d, "spec", "template", "metadata", "annotations", "checksum/key")
	}
	require.NotEqual(t, checksum("a"), checksum("b", "a"))
	objects, err := render(t, object{"secretKey": object{"existingSecret": "mine"}, "access": object{"tokensSecret": "mine-too", "tlsSecret": "cert"}})
	require.NoError(t, err)
	for id := range objects {
		require.NotContains(t, id, "Secret ")
	}
	volumes := at(t, objects["Deployment prod-ccr-worker"], "spec", "template", "spec", "volumes")
	require.Equal(t, "mine", at(t, volumes, 0, "secret", "secretName"))
	require.Equal(t, "mine-too", at(t, volumes, 1, "secret", "secretName"))
}

// Pods that ask for no tokens know the names under which they are asked.
func TestChartNamesItsHosts(t *testing.T) {
	objects, err := render(t, object{
		"secretKey": object{"existingSecret": "s"}, "access": object{"allowInsecure": true, "allowedHosts": []any{"ccr.mesh.example.com"}},
		"ingress": object{"enabled": true, "host": "ccr.example.org"},
	})
	require.NoError(t, err)
	for _, part := range []string{"api", "worker"} {
		env := envOf(t, objects["Deployment prod-ccr-"+part])
		hosts := strings.Split(env["CCR_ALLOWED_HOSTS"], ",")
		require.Subset(t, hosts, []string{"prod-ccr", "prod-ccr.ccr.svc", "prod-ccr-worker.ccr.svc.cluster.local", "ccr.example.org", "ccr.mesh.example.com"}, part)
		requireSettings(t, env)
	}
}

// Clusters with rules of their own: policies, users, authorities, files.
func TestChartFitsIntoOtherClusters(t *testing.T) {
	good := object{"secretKey": object{"existingSecret": "s"}, "access": object{"tokensSecret": "t", "tlsSecret": "cert"}}
	plain, err := render(t, good)
	require.NoError(t, err)
	for id := range plain {
		require.NotContains(t, id, "NetworkPolicy")
	}
	prometheus := object{"namespaceSelector": object{"matchLabels": object{"name": "monitoring"}}}
	doris := object{"to": []any{object{"ipBlock": object{"cidr": "10.1.0.0/16"}}}}
	values := object{
		"networkPolicy":            object{"enabled": true, "metricsFrom": []any{prometheus}, "egress": []any{doris}},
		"podSecurityContext":       object{"runAsUser": 1000, "runAsGroup": nil, "fsGroup": nil},
		"containerSecurityContext": object{"readOnlyRootFilesystem": false},
		"topologySpread":           object{"keys": []any{"zone"}, "whenUnsatisfiable": "DoNotSchedule"},
		"extraCA":                  object{"configMap": "company-ca", "key": "bundle.pem"},
		"extraVolumes":             []any{object{"name": "more", "emptyDir": object{}}},
		"extraVolumeMounts":        []any{object{"name": "more", "mountPath": "/more"}},
		"doris":                    object{"tls": object{"mode": "verify-ca", "existingSecret": "doris-ca", "clientCertificate": true}},
		"temporal":                 object{"apiKeySecret": object{"name": "cloud", "key": "key"}},
	}
	merge(values, good)
	objects, err := render(t, values)
	require.NoError(t, err)

	api, worker := objects["NetworkPolicy prod-ccr-api"], objects["NetworkPolicy prod-ccr-worker"]
	require.NotContains(t, at(t, api, "spec", "ingress", 0), "from", "everybody may ask the API")
	require.Equal(t, []any{prometheus}, at(t, worker, "spec", "ingress", 0, "from"))
	for part, policy := range map[string]object{"api": api, "worker": worker} {
		require.Equal(t, []any{"Ingress", "Egress"}, at(t, policy, "spec", "policyTypes"))
		require.Equal(t, 53, at(t, policy, "spec", "egress", 0, "ports", 0, "port"))
		require.Equal(t, doris, at(t, policy, "spec", "egress", 1))
		deployment := objects["Deployment prod-ccr-"+part]
		require.Equal(t, at(t, deployment, "spec", "selector"), at(t, policy, "spec", "podSelector").(object), "the policy is for the part's pods")
		pod := at(t, deployment, "spec", "template", "spec")
		require.Equal(t, "http", at(t, pod, "containers", 0, "ports", 0, "name"), "the port that the policy names")
		require.Equal(t, 1000, at(t, pod, "securityContext", "runAsUser"))
		require.Equal(t, false, at(t, pod, "containers", 0, "securityContext", "readOnlyRootFilesystem"))
		require.Equal(t, "zone", at(t, pod, "topologySpreadConstraints", 0, "topologyKey"))
		require.Equal(t, "DoNotSchedule", at(t, pod, "topologySpreadConstraints", 0, "whenUnsatisfiable"))
		env := envOf(t, deployment)
		require.Equal(t, "/etc/ccr/ca", env["SSL_CERT_DIR"])
		require.Equal(t, "verify-ca", env["CCR_DORIS_TLS"])
		require.Equal(t, "/etc/ccr/doris/ca.crt", env["CCR_DORIS_CA"])
		require.Equal(t, "/etc/ccr/doris/tls.key", env["CCR_DORIS_KEY"])
		require.Equal(t, "secret cloud key", env["CCR_TEMPORAL_API_KEY"])
		delete(env, "SSL_CERT_DIR") // Go's own
		requireSettings(t, env)
		volumes, mounts := map[any]object{}, map[any]any{}
		for _, v := range at(t, pod, "volumes").([]any) {
			volumes[v.(object)["name"]] = v.(object)
		}
		for _, m := range at(t, pod, "containers", 0, "volumeMounts").([]any) {
			mounts[m.(object)["name"]] = m.(object)["mountPath"]
			require.Contains(t, volumes, m.(object)["name"])
		}
		require.Len(t, mounts, len(volumes))
		require.Equal(t, "company-ca", at(t, volumes["ca"], "configMap", "name"))
		require.Equal(t, "bundle.pem", at(t, volumes["ca"], "configMap", "items", 0, "key"))
		require.Equal(t, "doris-ca", at(t, volumes["doris"], "secret", "secretName"))
		require.Equal(t, "/more", mounts["more"])
	}
	// Without peers nobody reads the workers' metrics, and without rules all is reached.
	values["networkPolicy"] = object{"enabled": true, "metricsFrom": []any{}, "egress": []any{}, "apiFrom": []any{prometheus}}
	values["podDisruptionBudget"] = object{"enabled": false}
	values["topologySpread"] = object{"keys": []any{}}
	objects, err = render(t, values)
	require.NoError(t, err)
	require.Empty(t, at(t, objects["NetworkPolicy prod-ccr-worker"], "spec", "ingress"))
	require.Equal(t, []any{"Ingress"}, at(t, objects["NetworkPolicy prod-ccr-worker"], "spec", "policyTypes"))
	require.Equal(t, []any{prometheus}, at(t, objects["NetworkPolicy prod-ccr-api"], "spec", "ingress", 0, "from"))
	require.NotContains(t, objects, "PodDisruptionBudget prod-ccr-api")
	require.NotContains(t, at(t, objects["Deployment prod-ccr-api"], "spec", "template", "spec"), "topologySpreadConstraints")

	for text, wrong := range map[string]object{
		"apiKeySecret.key is needed": {"temporal": object{"apiKeySecret": object{"name": "cloud"}}},
		"two places":                 {"extraCA": object{"configMap": "a", "secret": "b"}},
		"mode":                       {"doris": object{"tls": object{"mode": "on"}}},
	} {
		merge(wrong, good)
		_, err := render(t, wrong)
		require.ErrorContains(t, err, text)
	}
}
