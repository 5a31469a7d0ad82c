package cli

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/secret"
)

// What seal prints is what a process with the key opens, and what the signal accepts.
func TestSeal(t *testing.T) {
	key := base64.StdEncoding.EncodeToString(make([]byte, secret.KeySize))
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(key+"\n"), 0o600))
	seal := func(environ []string, input string, args ...string) (string, error) {
		var out bytes.Buffer
		cmd := CCR("", environ).Root()
		cmd.SetIn(strings.NewReader(input))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(append([]string{"seal"}, args...))
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	withKey := []string{"CCR_SECRET_KEY_FILE=" + file}
	for _, input := range []string{"s3cret word\n", "s3cret word", "s3cret word\r\nmore\n"} {
		out, err := seal(withKey, input)
		require.NoError(t, err)
		sealed := job.Sealed(strings.TrimSpace(out))
		keyring, err := secret.Parse(key)
		require.NoError(t, err)
		plain, err := keyring.Open(sealed)
		require.NoError(t, err)
		require.Equal(t, "s3cret word", plain)
		changes := job.ClusterChanges{Dest: &job.ClusterChange{Password: &sealed}}
		require.NoError(t, changes.CheckCredentials())
	}
	_, err := seal(withKey, "\n")
	require.ErrorContains(t, err, "no password")
	_, err = seal(nil, "s3cret")
	require.ErrorIs(t, err, secret.ErrNoKey)
	_, err = seal(withKey, "", "s3cret")
	require.Error(t, err, "a password is no argument")
}
