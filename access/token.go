package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	// tokenPrefix lets secret scanners find a token that got lost.
	tokenPrefix = "ccr_"
	// tokenBytes are random, so a plain digest is enough to keep a token by.
	tokenBytes = 32
	// minPlain is the length of the shortest token that a person may choose.
	minPlain = 20

	hashedForm = "sha256:"
	plainForm  = "plain:"
)

// nameForm keeps names readable in logs and events.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// digest is how a token is remembered.
type digest [sha256.Size]byte

func digestOf(token string) digest { return sha256.Sum256([]byte(token)) }

// Identity is who a token belongs to.
type Identity struct {
	Name string
	Role Role
}

// entry is one line of the tokens file.
type entry struct {
	Identity
	digest digest
	plain  bool
}

// NewToken makes a token for id and returns it with the line that makes it known
// in a tokens file. The line does not reveal the token.
func NewToken(id Identity) (token, line string, err error) {
	if err := id.check(); err != nil {
		return "", "", err
	}
	raw := make([]byte, tokenBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", "", fmt.Errorf("make a token: %w", err)
	}
	token = tokenPrefix + base64.RawURLEncoding.EncodeToString(raw)
	sum := digestOf(token)
	return token, fmt.Sprintf("%s %s %s%s", id.Name, id.Role, hashedForm, hex.EncodeToString(sum[:])), nil
}

func (id Identity) check() error {
	if !nameForm.MatchString(id.Name) {
		return fmt.Errorf("token name %q: letters, digits and . _ @ - are wanted, 64 at most", id.Name)
	}
	if id.Role < Read || id.Role > Admin {
		return fmt.Errorf("token %s has no role", id.Name)
	}
	return nil
}

// parseTokens reads the lines of a tokens file: name, role, and the token as
// sha256:<hex> or plain:<token>. Empty lines and lines that begin with # are
// passed over. No error text holds a token.
func parseTokens(text string) ([]entry, error) {
	var entries []entry
	names, digests := map[string]bool{}, map[digest]bool{}
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		e, err := parseEntry(fields)
		if err == nil && names[e.Name] {
			err = fmt.Errorf("there are two tokens named %s", e.Name)
		}
		if err == nil && digests[e.digest] {
			err = fmt.Errorf("the token of %s has another name already", e.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		names[e.Name], digests[e.digest] = true, true
		entries = append(entries, e)
	}
	return entries, nil
}

func parseEntry(fields []string) (entry, error) {
	if len(fields) != 3 {
		return entry{}, fmt.Errorf("%d words, want three: name, role, and sha256:<hex> or plain:<token>", len(fields))
	}
	role, err := ParseRole(fields[1])
	if err != nil {
		return entry{}, err
	}
	e := entry{Identity: Identity{Name: fields[0], Role: role}}
	if err := e.check(); err != nil {
		return entry{}, err
	}
	if hashed, ok := strings.CutPrefix(fields[2], hashedForm); ok {
		b, err := hex.DecodeString(hashed)
		if err != nil || len(b) != len(e.digest) {
			return entry{}, fmt.Errorf("token of %s: sha256: is followed by %d hex digits", e.Name, 2*len(e.digest))
		}
		copy(e.digest[:], b)
		return e, nil
	}
	plain, ok := strings.CutPrefix(fields[2], plainForm)
	if !ok {
		return entry{}, fmt.Errorf("token of %s is neither sha256:<hex> nor plain:<token>", e.Name)
	}
	if len(plain) < minPlain {
		return entry{}, fmt.Errorf("token of %s is shorter than %d characters (make one with: ccr token new)", e.Name, minPlain)
	}
	e.digest, e.plain = digestOf(plain), true
	return e, nil
}

// errNoTokens: a file without tokens would lock everybody out.
var errNoTokens = errors.New("it holds no token (make one with: ccr token new)")
