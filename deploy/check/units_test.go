package check

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// since are the versions of systemd (by its NEWS) that brought the directives and the specifiers of
// the units; what is older than 230 is 0.
var since = map[string]int{
	"Description": 0, "Documentation": 0, "After": 0, "Wants": 0, "WantedBy": 0, "StartLimitIntervalSec": 230,
	"ExecStart": 0, "EnvironmentFile": 0, "Environment": 0, "Restart": 0, "RestartSec": 0, "TimeoutStopSec": 0, "UMask": 0,
	"NoNewPrivileges": 0, "LimitCORE": 0, "CapabilityBoundingSet": 0, "ProtectHome": 0, "PrivateTmp": 0, "PrivateDevices": 0,
	"RestrictAddressFamilies": 0, "SystemCallArchitectures": 0, "SystemCallFilter": 231, "SystemCallErrorNumber": 0,
	"RestrictRealtime": 231, "MemoryDenyWriteExecute": 231, "DynamicUser": 232, "ProtectSystem": 232, "ProtectKernelTunables": 232,
	"ProtectKernelModules": 232, "ProtectControlGroups": 232, "RestrictNamespaces": 233, "StateDirectory": 235, "StateDirectoryMode": 235,
	"LockPersonality": 235, "RestrictSUIDSGID": 242, "ProtectHostname": 242, "ProtectKernelLogs": 244, "ProtectClock": 245,
	"ProtectProc": 247, "LoadCredential": 247, "%d": 251, "%i": 0,
}

// Each unit says from which version of systemd on everything in it has an effect:
// older ones pass over what protects, or start without the key.
func TestUnitsNameTheirSystemd(t *testing.T) {
	units, err := filepath.Glob("../systemd/*.service")
	require.NoError(t, err)
	require.Len(t, units, 2)
	specifier := regexp.MustCompile(`%[a-zA-Z]`)
	for _, u := range units {
		b, err := os.ReadFile(u)
		require.NoError(t, err)
		needed := 0
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "[") || line == "" {
				continue
			}
			name, value, ok := strings.Cut(line, "=")
			require.True(t, ok, line)
			for _, part := range append(specifier.FindAllString(value, -1), name) {
				version, known := since[part]
				require.True(t, known, "%s: since when does systemd know %s?", u, part)
				needed = max(needed, version)
			}
		}
		require.Contains(t, string(b), fmt.Sprintf("# Needs systemd %d or later", needed), u)
	}
}
