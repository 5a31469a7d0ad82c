package access

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SessionLife is how long a browser stays logged in.
const SessionLife = 12 * time.Hour

// ErrNoSession: the browser is not logged in, or not any more.
var ErrNoSession = errors.New("not logged in")

// Sessions are the logins of browsers. No server keeps them: a session is a text that the
// browser keeps, with the name of a token, when it ends, and a code over both and the token. So
// every server with the same keys and tokens knows it, and it ends when its token is taken away.
type Sessions struct {
	tokens *Tokens
	keys   [][]byte
	now    func() time.Time
}

// NewSessions makes sessions for those who have one of the tokens. The first key makes the codes, every
// one is good for checking. Without keys the sessions are known to this process alone.
func NewSessions(tokens *Tokens, keys [][]byte) *Sessions {
	if len(keys) == 0 {
		own := make([]byte, sha256.Size)
		_, _ = rand.Read(own) // never fails (crypto/rand)
		keys = [][]byte{own}
	}
	return &Sessions{tokens: tokens, keys: keys, now: time.Now}
}

// Wanted tells whether anybody has to log in.
func (s *Sessions) Wanted() bool { return s.tokens != nil }

// Begin logs the bearer of a token in. Its result is what the browser has to keep.
func (s *Sessions) Begin(token string) (session string, id Identity, err error) {
	if id, err = s.tokens.Identify(token); err != nil {
		return "", Identity{}, err
	}
	until := strconv.FormatInt(s.now().Add(SessionLife).Unix(), 36)
	return until + "~" + s.code(s.keys[0], until, id.Name, digestOf(token)) + "~" + id.Name, id, nil
}

// Check returns whose session it is, with the role that the token has now.
func (s *Sessions) Check(session string) (Identity, error) {
	parts := strings.SplitN(session, "~", 3)
	if len(parts) != 3 {
		return Identity{}, ErrNoSession
	}
	until, code, name := parts[0], parts[1], parts[2]
	ends, err := strconv.ParseInt(until, 36, 64)
	if err != nil || !s.now().Before(time.Unix(ends, 0)) {
		return Identity{}, fmt.Errorf("%w: the session is over", ErrNoSession)
	}
	id, token, known := s.tokens.named(name)
	if !known {
		return Identity{}, fmt.Errorf("%w: its token is not known any more", ErrNoSession)
	}
	for _, key := range s.keys {
		if hmac.Equal([]byte(code), []byte(s.code(key, until, name, token))) {
			return id, nil
		}
	}
	return Identity{}, ErrNoSession
}

func (s *Sessions) code(key []byte, until, name string, token digest) string {
	return codeOf(key, "session", until, name, string(token[:]))
}

// FormToken is what a form has to hold that is sent by a browser which keeps this text: a page
// of another site cannot read the one or the other.
func (s *Sessions) FormToken(kept string) string { return codeOf(s.keys[0], "form", kept) }

// FormTokenFits tells whether a form is ours.
func (s *Sessions) FormTokenFits(kept, token string) bool {
	if kept == "" {
		return false
	}
	for _, key := range s.keys {
		if hmac.Equal([]byte(token), []byte(codeOf(key, "form", kept))) {
			return true
		}
	}
	return false
}

// codeOf authenticates parts, none of which can be taken for a piece of another.
func codeOf(key []byte, parts ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, p := range parts {
		fmt.Fprintf(mac, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
