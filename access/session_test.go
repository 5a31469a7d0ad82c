package access

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, "maria operate plain:"+plainToken, 0o600)
	tokens, err := OpenTokens(path, quiet)
	require.NoError(t, err)
	one, two := []byte("key one"), []byte("key two")
	s := NewSessions(tokens, [][]byte{one, two})
	require.True(t, s.Wanted())
	_, _, err = s.Begin(plainToken + "x")
	require.ErrorIs(t, err, ErrUnknownToken)
	session, id, err := s.Begin(plainToken)
	require.NoError(t, err)
	require.Equal(t, Identity{"maria", Operate}, id)
	require.NotContains(t, session, plainToken)

	id, err = s.Check(session)
	require.NoError(t, err)
	require.Equal(t, Identity{"maria", Operate}, id)
	id, err = NewSessions(tokens, [][]byte{two, one}).Check(session)
	require.NoError(t, err, "another server, whose keys are being changed")
	require.Equal(t, "maria", id.Name)

	for _, wrong := range []string{"", "x", session + "x", "z" + session, "~~maria", session[:len(session)-1]} {
		_, err = s.Check(wrong)
		require.ErrorIs(t, err, ErrNoSession, wrong)
	}
	_, err = NewSessions(tokens, nil).Check(session)
	require.ErrorIs(t, err, ErrNoSession, "a server with another key")
	later := NewSessions(tokens, [][]byte{one})
	later.now = func() time.Time { return time.Now().Add(SessionLife) }
	_, err = later.Check(session)
	require.ErrorIs(t, err, ErrNoSession)

	write(t, path, "maria admin plain:"+plainToken, 0o600)
	tokens.watch.lookNow()
	id, err = s.Check(session)
	require.NoError(t, err)
	require.Equal(t, Admin, id.Role, "the role is that of now")
	write(t, path, "maria admin plain:"+plainToken+"2", 0o600)
	tokens.watch.lookNow()
	_, err = s.Check(session)
	require.ErrorIs(t, err, ErrNoSession, "another token of the same name")
	write(t, path, "other admin plain:"+plainToken, 0o600)
	tokens.watch.lookNow()
	_, err = s.Check(session)
	require.ErrorIs(t, err, ErrNoSession, "the token is gone")
}

func TestFormTokens(t *testing.T) {
	s := NewSessions(nil, [][]byte{[]byte("key")})
	require.False(t, s.Wanted())
	require.True(t, s.FormTokenFits("kept", s.FormToken("kept")))
	require.False(t, s.FormTokenFits("other", s.FormToken("kept")))
	require.False(t, s.FormTokenFits("", s.FormToken("")))
	require.False(t, s.FormTokenFits("kept", ""))
	require.False(t, NewSessions(nil, nil).FormTokenFits("kept", s.FormToken("kept")))
	require.NotEqual(t, codeOf([]byte("k"), "a", "bc"), codeOf([]byte("k"), "ab", "c"))
}
