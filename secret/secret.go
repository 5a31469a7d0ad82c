// Package secret seals passwords (AES-256-GCM) before they enter a workflow and
// opens them inside activities (architecture.md 6). Several keys may be known: the
// first one seals, every one opens, so that a key can be rotated.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/keyfile"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// prefix marks and versions the sealed form: ccr1:<key id>:<base64 of nonce and ciphertext>.
const prefix = "ccr1"

var (
	// ErrNoKey: a secret has to be sealed or opened and no key is known.
	ErrNoKey = errors.New("no secret key: set CCR_SECRET_KEY or name a key file with --secret-key-file")
	// ErrUnknownKey: the secret was sealed with a key that is not known here.
	ErrUnknownKey = errors.New("sealed with a key that this process does not have: give every worker and API server the same keys")
	// errNoKeyInFile: a disk was full, or the file is another one. Without it a process would run, and
	// learn with its first password that it has no key.
	errNoKeyInFile = errors.New("it holds no secret key (make one with: openssl rand -base64 32); the jobs' passwords can only be opened with the key that sealed them")
	// ErrCorrupt: the sealed text is damaged.
	ErrCorrupt = errors.New("sealed secret is damaged")
)

// Keyring holds the keys. The zero value knows none.
type Keyring struct{ keys []key }

type key struct {
	id   string
	aead cipher.AEAD
	// root is what Derive makes other keys of.
	root []byte
}

// NewKeyring makes a keyring from raw keys of KeySize bytes; the first seals.
func NewKeyring(raw ...[]byte) (*Keyring, error) {
	k := &Keyring{}
	for i, b := range raw {
		if len(b) != KeySize {
			return nil, fmt.Errorf("secret key %d has %d bytes, want %d", i+1, len(b), KeySize)
		}
		block, err := aes.NewCipher(b)
		if err != nil {
			return nil, fmt.Errorf("secret key %d: %w", i+1, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("secret key %d: %w", i+1, err)
		}
		sum := sha256.Sum256(b)
		root, err := hkdf.Key(sha256.New, b, nil, "ccr derived keys", KeySize)
		if err != nil {
			return nil, fmt.Errorf("secret key %d: %w", i+1, err)
		}
		k.keys = append(k.keys, key{id: hex.EncodeToString(sum[:4]), aead: aead, root: root})
	}
	return k, nil
}

// Parse reads keys written as base64 or hex, separated by commas, blanks or
// line ends; lines that begin with # are comments.
func Parse(text string) (*Keyring, error) {
	var raw [][]byte
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' }) {
			b, err := decodeKey(word)
			if err != nil {
				return nil, fmt.Errorf("secret key %d: %w", len(raw)+1, err)
			}
			raw = append(raw, b)
		}
	}
	return NewKeyring(raw...)
}

func decodeKey(word string) ([]byte, error) {
	if b, err := hex.DecodeString(word); err == nil && len(b) == KeySize {
		return b, nil
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if b, err := enc.DecodeString(word); err == nil && len(b) == KeySize {
			return b, nil
		}
	}
	// The word itself is a secret: it is not shown.
	return nil, fmt.Errorf("not %d bytes in base64 or hex (make one with: openssl rand -base64 %d)", KeySize, KeySize)
}

// Load returns the keys of text if it is not empty, else those of the file.
// Both empty is not an error: the keyring then knows no key.
func Load(text, file string) (*Keyring, error) {
	if strings.TrimSpace(text) != "" {
		return Parse(text)
	}
	if file == "" {
		return &Keyring{}, nil
	}
	b, err := keyfile.Read(file)
	if err != nil {
		return nil, fmt.Errorf("read secret key file: %w", err)
	}
	k, err := Parse(string(b))
	if err == nil && len(k.keys) == 0 {
		err = errNoKeyInFile
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return k, nil
}

// LoadOrCreate is Load, but makes a key file (mode 0600) when it is missing.
func LoadOrCreate(text, file string) (*Keyring, error) {
	k, err := Load(text, file)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	raw := make([]byte, KeySize)
	if _, err := rand.Read(raw); err != nil {
		return nil, fmt.Errorf("make secret key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("make secret key directory: %w", err)
	}
	// O_EXCL: two processes that start together must not each keep a key of
	// their own; the loser reads the winner's.
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return Load("", file)
	}
	if err != nil {
		return nil, fmt.Errorf("create secret key file: %w", err)
	}
	if _, err := f.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n"); err != nil {
		f.Close()
		return nil, fmt.Errorf("write secret key file: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("write secret key file: %w", err)
	}
	return NewKeyring(raw)
}

// Seal encrypts plain with the first key. The empty string stays empty: a Doris
// account without a password needs no key.
func (k *Keyring) Seal(plain string) (job.Sealed, error) {
	if plain == "" {
		return "", nil
	}
	if len(k.keys) == 0 {
		return "", fmt.Errorf("seal password: %w", ErrNoKey)
	}
	first := k.keys[0]
	nonce := make([]byte, first.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("seal password: %w", err)
	}
	box := first.aead.Seal(nonce, nonce, []byte(plain), []byte(first.id))
	return job.Sealed(prefix + ":" + first.id + ":" + base64.RawStdEncoding.EncodeToString(box)), nil
}

// Derive makes keys for another purpose than sealing, one of each key and in their order: every
// process with the same keys has the same ones, and nothing that is sealed can be told by them.
func (k *Keyring) Derive(purpose string) [][]byte {
	var derived [][]byte
	for _, known := range k.keys {
		mac := hmac.New(sha256.New, known.root)
		mac.Write([]byte(purpose))
		derived = append(derived, mac.Sum(nil))
	}
	return derived
}

// Reseal seals a secret anew with the first key, unless that has sealed it
// already or it is empty: then it comes back as it is.
func (k *Keyring) Reseal(sealed job.Sealed) (job.Sealed, error) {
	if sealed == "" || (len(k.keys) > 0 && sealed.KeyID() == k.keys[0].id) {
		return sealed, nil
	}
	plain, err := k.Open(sealed)
	if err != nil {
		return "", err
	}
	return k.Seal(plain)
}

// Open decrypts what Seal made.
func (k *Keyring) Open(sealed job.Sealed) (string, error) {
	if sealed == "" {
		return "", nil
	}
	parts := strings.Split(string(sealed), ":")
	if len(parts) != 3 || parts[0] != prefix {
		return "", fmt.Errorf("open password: %w", ErrCorrupt)
	}
	if len(k.keys) == 0 {
		return "", fmt.Errorf("open password: %w", ErrNoKey)
	}
	for _, known := range k.keys {
		if known.id != parts[1] {
			continue
		}
		box, err := base64.RawStdEncoding.DecodeString(parts[2])
		if err != nil || len(box) < known.aead.NonceSize() {
			return "", fmt.Errorf("open password: %w", ErrCorrupt)
		}
		plain, err := known.aead.Open(nil, box[:known.aead.NonceSize()], box[known.aead.NonceSize():], []byte(known.id))
		if err != nil {
			return "", fmt.Errorf("open password: %w", ErrCorrupt)
		}
		return string(plain), nil
	}
	return "", fmt.Errorf("open password: %w", ErrUnknownKey)
}
