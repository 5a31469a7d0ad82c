package check

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// compose loads docker-compose.yml as "docker compose config" does: against the
// Compose schema, with variables put in.
func compose(t *testing.T, env []string, profiles ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"}, cli.WithEnv(env), cli.WithProfiles(profiles))
	require.NoError(t, err)
	return options.LoadProject(t.Context())
}

func TestCompose(t *testing.T) {
	_, err := compose(t, nil)
	require.ErrorContains(t, err, "make one with openssl rand -base64 32")

	p, err := compose(t, []string{"CCR_SECRET_KEY=k"})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"postgresql", "temporal-schema", "temporal", "temporal-namespace", "temporal-ui",
		"ccr-api", "ccr-worker-1", "ccr-worker-2", "prometheus", "grafana"}, p.ServiceNames())
	p, err = compose(t, []string{"CCR_SECRET_KEY=k"}, "sim")
	require.NoError(t, err)
	require.Contains(t, p.ServiceNames(), "doris-source")
	require.Contains(t, p.ServiceNames(), "doris-destination")

	stages := stages(t)
	for name, s := range p.Services {
		require.NotNil(t, s.Logging, "%s fills the disk with its log", name)
		require.NotEmpty(t, s.Restart, "%s stays away after a reboot", name)
		if s.Build == nil {
			require.Regexp(t, `:v?\d+(\.\d+)*$`, s.Image, "%s is of no certain version", name)
		}
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s publishes a port that others reach", name)
		}
		for _, v := range s.Volumes {
			if v.Type == types.VolumeTypeBind {
				require.FileExists(t, existing(t, v.Source), name)
			}
		}
		if s.Build != nil {
			require.Contains(t, stages, s.Build.Target, name)
			require.True(t, s.ReadOnly, name)
			require.Positive(t, s.MemLimit, name)
			require.Equal(t, []string{"ALL"}, []string(s.CapDrop), name)
		}
	}
	for _, button := range []string{"WORKFLOW_TERMINATE", "WORKFLOW_CANCEL", "WORKFLOW_RESET", "WORKFLOW_PAUSE", "BATCH_ACTIONS", "START_WORKFLOW", "ACTIVITY_COMMANDS"} {
		on := p.Services["temporal-ui"].Environment["TEMPORAL_"+button+"_DISABLED"]
		require.NotNil(t, on, button)
		require.Equal(t, "true", *on, button)
	}
	for _, name := range []string{"ccr-api", "ccr-worker-1", "ccr-worker-2"} {
		s := p.Services[name]
		require.Equal(t, "k", *s.Environment["CCR_SECRET_KEY"], name)
		require.Equal(t, types.HealthCheckTest{"CMD", "/ccr", "healthcheck"}, s.HealthCheck.Test, name)
		require.GreaterOrEqual(t, s.StopGracePeriod.String(), "45s", name)
	}
}

// existing returns a file at or below path.
func existing(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	if !info.IsDir() {
		return path
	}
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	require.NotEmpty(t, entries, path)
	return existing(t, filepath.Join(path, entries[0].Name()))
}

// The scrape configuration names the services of the Compose file.
func TestScrapesWhatRuns(t *testing.T) {
	p, err := compose(t, []string{"CCR_SECRET_KEY=k"})
	require.NoError(t, err)
	b, err := os.ReadFile("../prometheus/prometheus.yml")
	require.NoError(t, err)
	for _, name := range []string{"ccr-api:9190", "ccr-worker-1:9191", "ccr-worker-2:9191"} {
		require.Contains(t, string(b), `"`+name+`"`)
		service, _, _ := strings.Cut(name, ":")
		require.Contains(t, p.ServiceNames(), service)
		allowed := p.Services[service].Environment["CCR_ALLOWED_HOSTS"]
		require.NotNil(t, allowed, name)
		require.Contains(t, strings.Split(*allowed, ","), service, "%s would refuse to be asked by this name", service)
	}
}

// stages are the names of the Dockerfile's stages.
func stages(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../Dockerfile")
	require.NoError(t, err)
	var names []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == "FROM" && f[2] == "AS" {
			names = append(names, f[3])
		}
	}
	return names
}

// What the images are built from and run is what the tests run: Go, Temporal and
// its Web UI of the modules' versions.
func TestVersionsFollowTheModules(t *testing.T) {
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		return string(b)
	}
	module := func(text, pattern string) string {
		t.Helper()
		m := regexp.MustCompile(`(?m)^\s*` + pattern + `$`).FindStringSubmatch(text)
		require.NotNil(t, m, pattern)
		return m[1]
	}
	standalone := read("standalone/go.mod")
	require.Contains(t, read("deploy/Dockerfile"), "FROM golang:"+module(read("go.mod"), `go (\S+)`)+"-")
	compose := read("docker-compose.yml")
	temporal := "${TEMPORAL_TAG:-" + module(standalone, `go\.temporal\.io/server v(\S+)`) + "}"
	require.Contains(t, compose, "temporalio/server:"+temporal)
	require.Contains(t, compose, "temporalio/admin-tools:${TEMPORAL_TOOLS_TAG:-"+temporal+"}")
	require.Contains(t, compose, "temporalio/ui:${TEMPORAL_UI_TAG:-"+module(standalone, `github\.com/temporalio/ui-server/v2 v(\S+)`)+"}")
}
