package check

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/require"
	yamlv3 "go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = "../helm/ccr"

// render has Helm's own engine render the chart, values as they come from a file. A value that
// a template asks for and nobody gives is an error, as are values that the schema refuses. The
// result is one object of each document, by kind and name.
func render(t *testing.T, values object) (map[string]object, error) {
	t.Helper()
	return renderDir(t, chartDir, values)
}

func renderDir(t *testing.T, dir string, values object) (map[string]object, error) {
	t.Helper()
	files, err := renderFiles(dir, values)
	if err != nil {
		return nil, err
	}
	objects := map[string]object{}
	for name, text := range files {
		if path.Ext(name) != ".yaml" {
			continue
		}
		if err := collect(text, objects); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", name, err, text)
		}
	}
	for id, o := range objects {
		require.Equal(t, "prod", at(t, o, "metadata", "labels", "app.kubernetes.io/instance"), id)
	}
	return objects, nil
}

// renderFiles does what helm template does.
func renderFiles(dir string, values object) (map[string]string, error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	given, err := asFile(values)
	if err != nil {
		return nil, err
	}
	capabilities := common.DefaultCapabilities.Copy()
	release := common.ReleaseOptions{Name: "prod", Namespace: "ccr", Revision: 1, IsInstall: true}
	top, err := util.ToRenderValues(chart, given, release, capabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(chart, top)
}

// asFile are values as Helm has them from a file: each number is a float64, say.
func asFile(values object) (object, error) {
	text, err := yaml.Marshal(values)
	if err != nil {
		return nil, err
	}
	return loader.LoadValues(strings.NewReader(string(text)))
}

// kinds are the types of Kubernetes and of the Prometheus operator.
var kinds = map[string]func() any{
	"apps/v1 Deployment":                      func() any { return new(appsv1.Deployment) },
	"v1 Service":                              func() any { return new(corev1.Service) },
	"v1 Secret":                               func() any { return new(corev1.Secret) },
	"v1 ConfigMap":                            func() any { return new(corev1.ConfigMap) },
	"v1 ServiceAccount":                       func() any { return new(corev1.ServiceAccount) },
	"policy/v1 PodDisruptionBudget":           func() any { return new(policyv1.PodDisruptionBudget) },
	"networking.k8s.io/v1 Ingress":            func() any { return new(networkingv1.Ingress) },
	"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(networkingv1.NetworkPolicy) },
	"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(monitoring.ServiceMonitor) },
	"monitoring.coreos.com/v1 PrometheusRule": func() any { return new(monitoring.PrometheusRule) },
}

// collect decodes the documents of a rendered file, strictly: a key that comes twice, that the
// kind does not have, or that has another type, is an error.
func collect(text string, objects map[string]object) error {
	for _, doc := range strings.Split("\n"+text, "\n---") {
		var o object
		if err := yamlv3.Unmarshal([]byte(doc), &o); err != nil {
			return err
		}
		if len(o) == 0 {
			continue
		}
		kind := fmt.Sprintf("%v %v", o["apiVersion"], o["kind"])
		into, known := kinds[kind]
		if !known {
			return fmt.Errorf("unknown kind %s", kind)
		}
		typed := into()
		if err := yaml.UnmarshalStrict([]byte(doc), typed); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		if err := sound(typed); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		id := fmt.Sprintf("%v %v", o["kind"], o["metadata"].(object)["name"])
		if objects[id] != nil {
			return errors.New(id + " comes twice")
		}
		objects[id] = o
	}
	return nil
}

// sound is what the API server refuses of pods and what types do not tell.
func sound(typed any) error {
	d, ok := typed.(*appsv1.Deployment)
	if !ok {
		return nil
	}
	pod := d.Spec.Template.Spec
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		if volumes[v.Name] {
			return fmt.Errorf("volume %s comes twice", v.Name)
		}
		volumes[v.Name] = true
	}
	for _, c := range pod.Containers {
		paths := map[string]bool{}
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				return fmt.Errorf("there is no volume %s", m.Name)
			}
			if paths[m.MountPath] {
				return fmt.Errorf("two volumes are mounted at %s", m.MountPath)
			}
			paths[m.MountPath] = true
		}
		for name, request := range c.Resources.Requests {
			if limit, limited := c.Resources.Limits[name]; limited && request.Cmp(limit) > 0 {
				return fmt.Errorf("more %s is requested than the limit", name)
			}
		}
	}
	return nil
}

// everything switches every option of values.yaml on.
var everything = `
image: {repository: registry.example.com/ccr, tag: "1.2", pullPolicy: Always}
imagePullSecrets: [{name: pull}]
temporal:
  address: "t1:7233,t2:7233"
  namespace: repl
  tls: {enabled: true, serverName: temporal.example.com, existingSecret: temporal, clientCertificate: true}
  apiKeySecret: {name: cloud, key: key}
doris:
  tls: {mode: verify-full, minimum: verify-ca, existingSecret: doris, clientCertificate: true}
secretKey: {keys: [new, old]}
access:
  tokens: ["ops admin sha256:00"]
  tlsSecret: cert
  allowedHosts: [ccr.mesh.example.com]
  allowInsecure: true
api:
  replicas: 3
  resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 1Gi, cpu: "2"}}
  service: {type: LoadBalancer, port: 443, annotations: {a: b}}
  env: {CCR_CREATE_TIMEOUT: 1m}
  nodeSelector: {disk: ssd}
  tolerations: [{key: dedicated, operator: Equal, value: ccr, effect: NoSchedule}]
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a]}]}]}}}
worker:
  replicas: 4
  env: {CCR_STREAM_SLOTS: 1000000, CCR_SHARED_UPSERTS: 8}
  nodeSelector: {disk: ssd}
  tolerations: [{operator: Exists}]
  affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: zone}}]}}
log: {level: debug, format: text}
webhook: {url: "https://hooks.example.com", secret: {name: hook, key: secret}}
extraCA: {secret: ca, key: bundle.pem}
extraVolumes: [{name: more, emptyDir: {}}]
extraVolumeMounts: [{name: more, mountPath: /more}]
extraEnv: [{name: GOMEMLIMIT, value: 1GiB}, {name: SECRET, valueFrom: {secretKeyRef: {name: s, key: k}}}]
priorityClassName: high
podSecurityContext: {runAsUser: 1000650000, fsGroup: null}
containerSecurityContext: {readOnlyRootFilesystem: true}
topologySpread: {keys: [zone], whenUnsatisfiable: DoNotSchedule}
networkPolicy:
  enabled: true
  apiFrom: [{namespaceSelector: {matchLabels: {name: ingress}}}]
  metricsFrom: [{podSelector: {matchLabels: {app: prometheus}}}]
  egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 9030, protocol: TCP}]}]
podDisruptionBudget: {enabled: true, maxUnavailable: 50%}
podAnnotations: {x: "y"}
podLabels: {team: data}
serviceAccount: {create: true, name: own, annotations: {iam: role}}
ingress: {enabled: true, className: nginx, host: ccr.example.org, annotations: {a: b}, tlsSecret: web}
serviceMonitor:
  enabled: true
  interval: 30s
  labels: {release: prometheus}
  bearerTokenSecret: {name: token, key: t}
  tlsConfig: {ca: {secret: {name: cert, key: ca.crt}}, serverName: ccr.example.org}
prometheusRule: {enabled: true, labels: {release: prometheus}}
grafanaDashboard: {enabled: true, labels: {grafana_dashboard: "1"}}
`

func allOn(t *testing.T) object {
	t.Helper()
	var values object
	require.NoError(t, yaml.UnmarshalStrict([]byte(everything), &values))
	return values
}

// With every option on, the chart renders to what Kubernetes takes, and numbers of a file
// reach the pods as they are written there.
func TestChartWithEveryOption(t *testing.T) {
	b, err := os.ReadFile(path.Join(chartDir, "values.yaml"))
	require.NoError(t, err)
	var defaults object
	require.NoError(t, yaml.UnmarshalStrict(b, &defaults))
	for key := range defaults {
		require.Contains(t, allOn(t), key, "an option that this test does not switch on")
	}
	objects, err := render(t, allOn(t))
	require.NoError(t, err)
	require.Len(t, objects, 16)
	worker := objects["Deployment prod-ccr-worker"]
	env := envOf(t, worker)
	require.Equal(t, "1000000", env["CCR_STREAM_SLOTS"], "not 1e+06")
	require.EqualValues(t, 1000650000, at(t, worker, "spec", "template", "spec", "securityContext", "runAsUser"))
	require.Equal(t, "verify-ca", env["CCR_DORIS_TLS_MIN"])
	require.Equal(t, "50%", at(t, objects["PodDisruptionBudget prod-ccr-worker"], "spec", "maxUnavailable"))
	require.Equal(t, "own", at(t, worker, "spec", "template", "spec", "serviceAccountName"))
	delete(env, "GOMEMLIMIT")
	delete(env, "SECRET")
	delete(env, "SSL_CERT_DIR")
	requireSettings(t, env)
}

// Helm's own rules, as helm lint has them, with the least and with every option.
func TestChartLint(t *testing.T) {
	least := object{"secretKey": object{"existingSecret": "s"}, "access": object{"allowInsecure": true}}
	for _, values := range []object{least, allOn(t)} {
		given, err := asFile(values)
		require.NoError(t, err)
		for _, m := range lint.RunAll(chartDir, given, "ccr").Messages {
			require.LessOrEqual(t, m.Severity, support.InfoSev, "%v", m)
		}
	}
}

// What each check would notice: the chart is broken in one way after the other.
func TestBrokenChartsAreFound(t *testing.T) {
	for name, tt := range map[string]struct{ file, old, broken, says string }{
		"a key that the kind does not have": {"templates/_helpers.tpl", "automountServiceAccountToken", "autoMountServiceToken", `unknown field "autoMountServiceToken"`},
		"a text for a number":               {"templates/_helpers.tpl", "terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 45s", "cannot unmarshal string"},
		"a key twice":                       {"templates/service.yaml", "  clusterIP: None", "  clusterIP: None\n  clusterIP: None", "already defined"},
		"a value that nobody gives":         {"templates/worker.yaml", ".Values.worker.replicas", ".Values.worker.replica", "replica"},
		"a function that Helm has not":      {"templates/pdb.yaml", "nindent 4", "indentBy 4", "indentBy"},
		"a mount without a volume":          {"templates/_helpers.tpl", "- name: tls\n      secret", "- name: tsl\n      secret", "there is no volume tls"},
		"a kind of an old version":          {"templates/pdb.yaml", "policy/v1", "policy/v1beta1", "unknown kind policy/v1beta1"},
		"a misspelt key of the operator's":  {"templates/monitoring.yaml", "relabelings:", "relabellings:", "relabellings"},
		"an option that the schema lacks":   {"values.schema.json", `"extraEnv": {`, `"extraEnvs": {`, "extraEnv"},
		"a chart without a version":         {"Chart.yaml", "version: ", "versions: ", "version"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := path.Join(t.TempDir(), "ccr")
			require.NoError(t, os.CopyFS(dir, os.DirFS(chartDir)))
			file := path.Join(dir, tt.file)
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, string(b), tt.old)
			require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(b), tt.old, tt.broken, 1)), 0o600))
			_, err = renderDir(t, dir, allOn(t))
			require.ErrorContains(t, err, tt.says)
		})
	}
	dir := path.Join(t.TempDir(), "ccr")
	require.NoError(t, os.CopyFS(dir, os.DirFS(chartDir)))
	require.NoError(t, os.WriteFile(path.Join(dir, "templates", "more.txt.json"), []byte("{"), 0o600))
	given, err := asFile(allOn(t))
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(lint.RunAll(dir, given, "ccr").Messages, func(m support.Message) bool { return m.Severity > support.InfoSev }))
}
