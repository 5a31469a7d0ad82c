package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// systemd's own check, with programs that exist in the place of ours.
func TestUnits(t *testing.T) {
	units, err := filepath.Glob("../systemd/*.service")
	require.NoError(t, err)
	require.Len(t, units, 2)
	dir := t.TempDir()
	var copies []string
	for _, u := range units {
		b, err := os.ReadFile(u)
		require.NoError(t, err)
		text := string(b)
		require.Contains(t, text, "TimeoutStopSec=45") // steps take half a minute to hand over
		requireVariables(t, text)
		for _, program := range []string{"/usr/local/bin/ccr-standalone", "/usr/local/bin/ccr"} {
			text = strings.ReplaceAll(text, program, "/bin/true")
		}
		name := strings.Replace(filepath.Base(u), "@.", "@worker.", 1)
		copied := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(copied, []byte(text), 0o644))
		copies = append(copies, copied)
	}
	verify, err := exec.LookPath("systemd-analyze")
	require.NoError(t, err, "run make setup, or install systemd; it need not run")
	out, err := exec.CommandContext(t.Context(), verify, append([]string{"verify"}, copies...)...).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, string(out))
	// From 0, locked away, to 100: everything that ccr does not need is taken away.
	for _, unit := range copies {
		out, err := exec.CommandContext(t.Context(), verify, "security", "--offline=yes", "--threshold=20", unit).CombinedOutput()
		require.NoError(t, err, string(out))
	}
}

// requireVariables: the variables are settings that ccr knows.
func requireVariables(t *testing.T, unit string) {
	t.Helper()
	env := map[string]string{}
	for line := range strings.Lines(unit) {
		if name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "Environment="), "="); ok && strings.HasPrefix(name, "CCR_") {
			env[name] = value
		}
	}
	require.NotEmpty(t, env)
	requireSettings(t, env)
}
