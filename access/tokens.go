package access

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/doris-ccr/ccr/keyfile"
)

// Tokens are those of a file, which is read again when it changes. The nil
// Tokens stand for an API that asks for none: everybody may do everything.
type Tokens struct {
	path  string
	log   *slog.Logger
	watch watch
	known atomic.Pointer[map[digest]Identity]
	// unreadable: the file has changed into something that cannot be used.
	unreadable atomic.Bool
}

var (
	// ErrNoToken: the request carries no token and needs one.
	ErrNoToken = errors.New("a token is needed: send the header Authorization: Bearer TOKEN")
	// ErrUnknownToken: the request carries a token that is not in the file.
	ErrUnknownToken = errors.New("the token is not known")
	// ErrLoosePermissions: others on the machine could read or change the file.
	ErrLoosePermissions = keyfile.ErrLoosePermissions
)

// OpenTokens reads the tokens of a file. A path of "" means nil Tokens.
func OpenTokens(path string, log *slog.Logger) (*Tokens, error) {
	if path == "" {
		return nil, nil
	}
	t := &Tokens{path: path, log: log, watch: watch{paths: []string{path}}}
	t.watch.changed() // what is read next is known
	if err := t.read(); err != nil {
		return nil, err
	}
	return t, nil
}

// Identify returns whom a token belongs to.
func (t *Tokens) Identify(token string) (Identity, error) {
	t.refresh()
	if token == "" {
		return Identity{}, ErrNoToken
	}
	id, ok := (*t.known.Load())[digestOf(token)]
	if !ok {
		return Identity{}, ErrUnknownToken
	}
	return id, nil
}

// named returns the token of that name.
func (t *Tokens) named(name string) (Identity, digest, bool) {
	t.refresh()
	for d, id := range *t.known.Load() {
		if id.Name == name {
			return id, d, true
		}
	}
	return Identity{}, digest{}, false
}

// refresh reads the file again if it has changed.
func (t *Tokens) refresh() {
	if !t.watch.changed() {
		return
	}
	if err := t.read(); err != nil {
		t.log.Error("tokens file cannot be read, the tokens known so far stay", "error", err)
	} else {
		t.log.Info("tokens file read again", "file", t.path, "tokens", len(*t.known.Load()))
	}
}

// Unreadable tells whether the file has changed into something that cannot be read,
// so that tokens that were taken away still work, and new ones do not. It looks at
// the file, as a request does; it is false for nil Tokens.
func (t *Tokens) Unreadable() bool {
	if t == nil {
		return false
	}
	t.refresh()
	return t.unreadable.Load()
}

func (t *Tokens) read() error {
	entries, err := readTokens(t.path)
	t.unreadable.Store(err != nil)
	if err != nil {
		return err
	}
	known := make(map[digest]Identity, len(entries))
	for _, e := range entries {
		known[e.digest] = e.Identity
	}
	t.known.Store(&known)
	return nil
}

// Empty tells the errors of a tokens file in which nothing has been written yet:
// it is missing, or holds no token.
func Empty(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoTokens)
}

// List returns the names and roles in a tokens file, in the file's order.
func List(path string) ([]Identity, error) {
	entries, err := readTokens(path)
	if err != nil {
		return nil, err
	}
	ids := make([]Identity, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.Identity)
	}
	return ids, nil
}

func readTokens(path string) ([]entry, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tokens file: %w", err)
	}
	entries, err := parseTokens(string(b))
	if err == nil && len(entries) == 0 {
		err = errNoTokens
	}
	if err == nil {
		err = checkMode(path, entries)
	}
	if err != nil {
		return nil, fmt.Errorf("tokens file %s: %w", path, err)
	}
	return entries, nil
}

// Append adds a line to a tokens file, which is made (mode 0600) when missing.
func Append(path, line string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open tokens file: %w", err)
	}
	if _, err := f.WriteString(line + "\n"); err != nil {
		f.Close()
		return fmt.Errorf("write tokens file: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write tokens file: %w", err)
	}
	return nil
}

// checkMode: nobody but the owner's group may change tokens, and nobody but the
// owner may read those that stand there in clear.
func checkMode(path string, entries []entry) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	forbidden, cure := os.FileMode(0o002), "chmod o-w"
	for _, e := range entries {
		if e.plain {
			forbidden, cure = 0o077, "chmod 600"
		}
	}
	if info.Mode()&forbidden != 0 {
		return fmt.Errorf("mode %04o: %w (%s)", info.Mode().Perm(), ErrLoosePermissions, cure)
	}
	return nil
}
