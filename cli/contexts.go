package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Variables of the environment that say which server to ask.
const (
	apiEnv       = "CCR_API"
	tokenFileEnv = "CCR_TOKEN_FILE"
	caFileEnv    = "CCR_CA_FILE"
	contextEnv   = "CCR_CONTEXT"
	// contextsEnv names the file with contexts; without it the file is in the
	// configuration directory of the user.
	contextsEnv = "CCR_CONTEXTS_FILE"
)

// contexts is the file with the servers that a person works with.
type contexts struct {
	Current  string                   `yaml:"current,omitempty"`
	Contexts map[string]serverContext `yaml:"contexts"`

	path string
}

// serverContext is one server, and how to be let in.
type serverContext struct {
	API       string `yaml:"api"`
	Token     string `yaml:"token,omitempty"`
	TokenFile string `yaml:"token-file,omitempty"`
	CAFile    string `yaml:"ca-file,omitempty"`
}

// contextsPath is where the file is.
func contextsPath(environ []string) (string, error) {
	if path := valueOf(environ, contextsEnv); path != "" {
		return path, nil
	}
	dir := valueOf(environ, "XDG_CONFIG_HOME")
	if dir == "" {
		home := valueOf(environ, "HOME")
		if home == "" {
			return "", fmt.Errorf("neither %s nor HOME says where the file with contexts is", contextsEnv)
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "ccr", "config.yaml"), nil
}

// loadContexts reads the file; one that is not there has no contexts.
func loadContexts(environ []string) (*contexts, error) {
	path, err := contextsPath(environ)
	if err != nil {
		return &contexts{Contexts: map[string]serverContext{}}, nil // nobody has asked for one
	}
	c := &contexts{path: path}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, usageErrorf("read contexts: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if len(bytes.TrimSpace(text)) > 0 {
		if err := decoder.Decode(c); err != nil {
			return nil, usageErrorf("read contexts: %s: %s", path, withoutValues(err))
		}
	}
	if c.Contexts == nil {
		c.Contexts = map[string]serverContext{}
	}
	for name, one := range c.Contexts {
		if one.Token == "" {
			continue
		}
		if err := ownersOnly(path); err != nil {
			return nil, usageErrorf("%s has the token of the context %s: %w", path, name, err)
		}
	}
	return c, nil
}

// ownersOnly refuses a file that others than its owner may read or change.
func ownersOnly(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("others may read or change it (mode %04o): chmod 600 %s", mode, path)
	}
	return nil
}

// save writes the file, for its owner only.
func (c *contexts) save() error {
	if c.path == "" {
		return usageErrorf("neither %s nor HOME says where the file with contexts is", contextsEnv)
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o700); err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	// Written beside and moved: a full disk loses nothing.
	f, err := os.CreateTemp(filepath.Dir(c.path), ".config-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write contexts: %w", err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write contexts: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// find returns a context by its name.
func (c *contexts) find(name string) (serverContext, error) {
	found, ok := c.Contexts[name]
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(c.Contexts)), ", ")
		if known == "" {
			known = "none"
		}
		return found, &statusError{fmt.Errorf("there is no context %q in %s (it has: %s); ccr context set makes one", name, c.path, known), exitNotFound}
	}
	return found, nil
}
