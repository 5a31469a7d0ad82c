package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// fileFlag names the YAML file. CCR_CONFIG does too.
const (
	fileFlag = "config"
	fileEnv  = "CCR_CONFIG"
)

// Bind defines the flags of the groups on flags. Load reads them back.
func Bind(flags *pflag.FlagSet, groups ...Group) {
	flags.String(fileFlag, "", "YAML file with settings")
	shown := Default()
	aliases := map[string]string{}
	for _, s := range settings() {
		if s.secret || !slices.Contains(groups, s.group) {
			continue
		}
		f := flags.VarPF(s.bind(&shown), s.name, "", s.usage)
		if f.Value.Type() == "bool" {
			f.NoOptDefVal = "true"
		}
		f.Hidden = s.compat
		for _, a := range s.aliases {
			aliases[a] = s.name
		}
	}
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		name = strings.ReplaceAll(name, "_", "-")
		if real, ok := aliases[name]; ok {
			name = real
		}
		return pflag.NormalizedName(name)
	})
}

// Load returns the effective configuration: defaults, then the file, then the
// environment (as os.Environ gives it), then the flags that were given.
func Load(flags *pflag.FlagSet, environ []string) (Config, error) {
	c := Default()
	c.origins = map[string]string{}
	env := map[string]string{}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(name, "CCR_") {
			env[name] = value
		}
	}
	file := env[fileEnv]
	if f := flags.Lookup(fileFlag); f != nil && f.Changed {
		file = f.Value.String()
	}
	if file != "" {
		if err := c.readFile(file); err != nil {
			return Config{}, err
		}
	}
	if err := c.readEnv(env); err != nil {
		return Config{}, err
	}
	if err := c.readFlags(flags); err != nil {
		return Config{}, err
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	c.Warnings = append(c.Warnings, c.openDoors()...)
	return c, nil
}

func (c *Config) readFile(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	var nodes map[string]yaml.Node
	if err := yaml.Unmarshal(b, &nodes); err != nil {
		return fmt.Errorf("read configuration %s: %w", path, err)
	}
	values := make(map[string]yaml.Node, len(nodes))
	for key, node := range nodes {
		values[strings.ReplaceAll(key, "_", "-")] = node
	}
	for _, s := range settings() {
		for _, name := range append([]string{s.name}, s.aliases...) {
			node, ok := values[name]
			if !ok {
				continue
			}
			delete(values, name)
			if node.Kind != yaml.ScalarNode {
				return fmt.Errorf("%s:%d: %s: one value is wanted, not a list or map", path, node.Line, name)
			}
			if node.Tag == "!!null" {
				node.Value = ""
			}
			if err := c.set(s, node.Value, "file "+path); err != nil {
				return fmt.Errorf("%s:%d: %w", path, node.Line, err)
			}
		}
	}
	var unknown []error
	for name, node := range values {
		unknown = append(unknown, fmt.Errorf("%s:%d: there is no setting %q", path, node.Line, name))
	}
	slices.SortFunc(unknown, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(unknown...)
}

func (c *Config) readEnv(env map[string]string) error {
	// In the pods of a namespace with a service named ccr, which Kubernetes tells
	// them in variables of its own making.
	if strings.HasPrefix(env["CCR_PORT"], "tcp://") {
		delete(env, "CCR_PORT")
		c.Warnings = append(c.Warnings, "environment variable CCR_PORT is Kubernetes' link to a service named ccr: ignored")
	}
	for _, s := range settings() {
		value, ok := env[s.env()]
		if !ok {
			continue
		}
		if err := c.set(s, value, "environment "+s.env()); err != nil {
			return fmt.Errorf("environment %s: %w", s.env(), err)
		}
	}
	known := map[string]bool{fileEnv: true}
	for _, s := range settings() {
		known[s.env()] = true
	}
	for name := range env {
		if !known[name] {
			c.Warnings = append(c.Warnings, "environment variable "+name+" is not a setting: ignored")
		}
	}
	slices.Sort(c.Warnings)
	return nil
}

func (c *Config) readFlags(flags *pflag.FlagSet) error {
	for _, s := range settings() {
		f := flags.Lookup(s.name)
		if f == nil || !f.Changed {
			continue
		}
		if err := c.set(s, f.Value.String(), "flag --"+s.name); err != nil {
			return fmt.Errorf("--%s: %w", s.name, err)
		}
	}
	return nil
}

// set never shows the value of a secret in an error.
func (c *Config) set(s setting, value, origin string) error {
	if err := s.bind(c).Set(value); err != nil {
		if s.secret {
			return fmt.Errorf("%s: not a valid value", s.name)
		}
		return fmt.Errorf("%s: %w", s.name, err)
	}
	c.origins[s.name] = origin
	if s.compat {
		c.Warnings = append(c.Warnings, s.name+" ("+origin+") has no effect here")
	}
	return nil
}
