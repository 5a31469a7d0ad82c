package secret

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/keyfile"
)

func testKey(b byte) []byte { return bytes.Repeat([]byte{b}, KeySize) }

func TestSealAndOpen(t *testing.T) {
	k, err := NewKeyring(testKey(1))
	require.NoError(t, err)
	a, err := k.Seal("s3cret")
	require.NoError(t, err)
	b, err := k.Seal("s3cret")
	require.NoError(t, err)
	require.NotEqual(t, a, b, "equal passwords must not look equal")
	require.NotContains(t, string(a), "s3cret")
	plain, err := k.Open(a)
	require.NoError(t, err)
	require.Equal(t, "s3cret", plain)
}

func TestEmptyPasswordNeedsNoKey(t *testing.T) {
	var k Keyring
	sealed, err := k.Seal("")
	require.NoError(t, err)
	plain, err := k.Open(sealed)
	require.NoError(t, err)
	require.Empty(t, plain)
	_, err = k.Seal("x")
	require.ErrorIs(t, err, ErrNoKey)
}

func TestReseal(t *testing.T) {
	before, err := NewKeyring(testKey(1))
	require.NoError(t, err)
	both, err := NewKeyring(testKey(2), testKey(1))
	require.NoError(t, err)
	after, err := NewKeyring(testKey(2))
	require.NoError(t, err)
	old, err := before.Seal("s3cret")
	require.NoError(t, err)
	same, err := before.Reseal(old)
	require.NoError(t, err)
	require.Equal(t, old, same)
	anew, err := both.Reseal(old)
	require.NoError(t, err)
	require.NotEqual(t, old.KeyID(), anew.KeyID())
	plain, err := after.Open(anew)
	require.NoError(t, err)
	require.Equal(t, "s3cret", plain)
	again, err := both.Reseal(anew)
	require.NoError(t, err)
	require.Equal(t, anew, again)
	_, err = after.Reseal(old)
	require.ErrorIs(t, err, ErrUnknownKey)
	empty, err := (&Keyring{}).Reseal("")
	require.NoError(t, err)
	require.Empty(t, empty)
	require.Empty(t, job.Sealed("not sealed").KeyID())
}

func TestRotation(t *testing.T) {
	old, err := NewKeyring(testKey(1))
	require.NoError(t, err)
	sealed, err := old.Seal("p")
	require.NoError(t, err)
	both, err := NewKeyring(testKey(2), testKey(1))
	require.NoError(t, err)
	plain, err := both.Open(sealed)
	require.NoError(t, err)
	require.Equal(t, "p", plain)
	resealed, err := both.Seal("p")
	require.NoError(t, err)
	_, err = old.Open(resealed)
	require.ErrorIs(t, err, ErrUnknownKey, "the first key seals")
}

func TestDamageIsNoticed(t *testing.T) {
	k, err := NewKeyring(testKey(1))
	require.NoError(t, err)
	sealed, err := k.Seal("p")
	require.NoError(t, err)
	_, err = k.Open(sealed[:len(sealed)-2] + "AA")
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = k.Open("clear text")
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestLoadOrCreateKeepsTheKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "secret.key")
	first, err := LoadOrCreate("", file)
	require.NoError(t, err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	sealed, err := first.Seal("p")
	require.NoError(t, err)
	second, err := LoadOrCreate("", file)
	require.NoError(t, err)
	plain, err := second.Open(sealed)
	require.NoError(t, err)
	require.Equal(t, "p", plain)
}

func TestParseDoesNotShowABadKey(t *testing.T) {
	_, err := Parse("# comment\nhunter2hunter2")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
	_, err = Parse(base64.StdEncoding.EncodeToString(testKey(3)) + "," + base64.StdEncoding.EncodeToString(testKey(4)))
	require.NoError(t, err)
}

func TestDerivedKeys(t *testing.T) {
	k, err := NewKeyring(testKey(1), testKey(2))
	require.NoError(t, err)
	same, err := NewKeyring(testKey(2))
	require.NoError(t, err)
	a, b := k.Derive("a"), k.Derive("b")
	require.Len(t, a, 2)
	require.Equal(t, same.Derive("a"), a[1:])
	require.NotEqual(t, a, b)
	require.NotContains(t, a, testKey(1))
	require.Empty(t, (&Keyring{}).Derive("a"))
}

// A key that everybody on the machine can read is none.
func TestKeyFileThatOthersReadIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret.key")
	_, err := LoadOrCreate("", file)
	require.NoError(t, err)
	require.NoError(t, os.Chmod(file, 0o644))
	_, err = Load("", file)
	require.ErrorIs(t, err, keyfile.ErrLoosePermissions)
	_, err = LoadOrCreate("", file)
	require.ErrorIs(t, err, keyfile.ErrLoosePermissions)
	require.NoError(t, os.Chmod(file, 0o440))
	_, err = Load("", file)
	require.NoError(t, err)
}

// A file that is named and has no key is a mistake, not a choice.
func TestFileWithoutAKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	for _, text := range []string{"", "\n", "# a comment\n"} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := Load("", file)
		require.ErrorContains(t, err, file+": it holds no secret key")
		_, err = LoadOrCreate("", file)
		require.ErrorContains(t, err, "it holds no secret key", "what was in it may be in a backup")
	}
}
