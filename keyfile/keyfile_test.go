package keyfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	_, err := Read(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte("key"), 0o600))
	for _, mode := range []os.FileMode{0o600, 0o400, 0o440, 0o640, 0o660} {
		require.NoError(t, os.Chmod(path, mode))
		b, err := Read(path)
		require.NoError(t, err, mode)
		require.Equal(t, "key", string(b))
	}
	for _, mode := range []os.FileMode{0o644, 0o604, 0o602, 0o444, 0o666, 0o777} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := Read(path)
		require.ErrorIs(t, err, ErrLoosePermissions, mode)
		require.ErrorContains(t, err, "chmod o= "+path)
	}
	// What a symbolic link leads to counts: that is how Kubernetes mounts secrets.
	require.NoError(t, os.Chmod(path, 0o440))
	link := path + ".link"
	require.NoError(t, os.Symlink(path, link))
	_, err = Read(link)
	require.NoError(t, err)
}
