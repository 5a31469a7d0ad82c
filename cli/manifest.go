package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/doris-ccr/ccr/apiserver"
	"github.com/doris-ccr/ccr/client"
	"github.com/doris-ccr/ccr/config"
)

// manifest is a job as a file describes it: the body of create_ccr, whether it is paused,
// and where passwords are. What is nil is not said.
type manifest struct {
	Name             string       `yaml:"name" json:"name"`
	Src              manifestSide `yaml:"src" json:"src"`
	Dest             manifestSide `yaml:"dest" json:"dest"`
	SkipError        *bool        `yaml:"skip_error" json:"skip_error,omitempty"`
	AllowTableExists *bool        `yaml:"allow_table_exists" json:"allow_table_exists,omitempty"`
	ReuseBinlogLabel *bool        `yaml:"reuse_binlog_label" json:"reuse_binlog_label,omitempty"`
	ReplicationNum   *int         `yaml:"replication_num" json:"replication_num,omitempty"`
	CommitOrder      *string      `yaml:"commit_order" json:"commit_order,omitempty"`
	IncludeTables    *[]string    `yaml:"include_tables" json:"include_tables,omitempty"`
	ExcludeTables    *[]string    `yaml:"exclude_tables" json:"exclude_tables,omitempty"`
	// Paused is no key of create_ccr.
	Paused *bool `yaml:"paused" json:"-"`

	// at is the file and line where the job is, for errors.
	at string
}

// manifestSide is a cluster as a file describes it.
type manifestSide struct {
	Host        string             `yaml:"host" json:"host"`
	Port        digits             `yaml:"port" json:"port"`
	ThriftPort  digits             `yaml:"thrift_port" json:"thrift_port"`
	User        string             `yaml:"user" json:"user"`
	Password    string             `yaml:"password" json:"password"`
	Cluster     string             `yaml:"cluster" json:"cluster,omitempty"`
	Database    string             `yaml:"database" json:"database"`
	Table       string             `yaml:"table" json:"table"`
	HostMapping *map[string]string `yaml:"host_mapping" json:"host_mapping,omitempty"`
	TLS         *string            `yaml:"tls" json:"tls,omitempty"`
	TLSCA       *string            `yaml:"tls_ca" json:"tls_ca,omitempty"`
	// Where the password is, if it is not in the file itself.
	PasswordFile string `yaml:"password_file" json:"-"`
	PasswordEnv  string `yaml:"password_env" json:"-"`
}

// digits is a port, written as a number or as text.
type digits string

// UnmarshalYAML implements yaml.Unmarshaler. A value is never shown: it may be a password
// in the wrong line.
func (d *digits) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode || strings.Trim(n.Value, "0123456789") != "" {
		return fmt.Errorf("line %d: a port is a number, or a text of digits", n.Line)
	}
	*d = digits(n.Value)
	return nil
}

// maxManifest bounds what is read of a file, in bytes.
const maxManifest = 16 << 20

// readManifests reads all documents of all files; "-" is standard input.
func readManifests(files []string, stdin io.Reader, environ []string) ([]*manifest, error) {
	if len(files) == 0 {
		return nil, usageErrorf(`--file is missing: a file with jobs, "-" for standard input`)
	}
	var all []*manifest
	for _, file := range files {
		found, err := readManifest(file, stdin, environ)
		if err != nil {
			return nil, usageErrorf("%s: %w", file, err)
		}
		all = append(all, found...)
	}
	seen := map[string]string{}
	for _, m := range all {
		if other, twice := seen[m.Name]; twice {
			return nil, usageErrorf("%s: job %s is described already at %s", m.at, m.Name, other)
		}
		seen[m.Name] = m.at
		if err := m.check(); err != nil {
			return nil, usageErrorf("%s: job %s: %w", m.at, m.Name, err)
		}
	}
	if len(all) == 0 { // a template that has become empty must not end all that it had made
		return nil, usageErrorf("%s: no job is described there: nothing is done (ccr job delete deletes jobs)", strings.Join(files, ", "))
	}
	return all, nil
}

// readInput reads a file, or standard input for "-", of at most limit bytes.
func readInput(file string, stdin io.Reader, limit int) ([]byte, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, errors.Unwrap(err) // callers name the file
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("it is longer than %d bytes", limit)
	}
	return text, err
}

func readManifest(file string, stdin io.Reader, environ []string) (all []*manifest, err error) {
	text, err := readInput(file, stdin, maxManifest)
	if err != nil {
		return nil, err
	}
	return manifestsIn(text, file, environ)
}

// manifestsIn reads all documents of a file.
func manifestsIn(text []byte, file string, environ []string) (all []*manifest, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		switch err := decoder.Decode(&doc); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, errors.New(withoutValues(err))
		}
		found, err := manifestsOf(doc.Content[0], file, environ)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
}

// manifestsOf reads a document: a job, a list of jobs, or nothing.
func manifestsOf(n *yaml.Node, file string, environ []string) (all []*manifest, err error) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag == "!!null":
		return nil, nil // an empty document
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			found, err := manifestsOf(item, file, environ)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
		return all, nil
	case n.Kind != yaml.MappingNode:
		return nil, fmt.Errorf("line %d: a job is a mapping with name, src and dest", n.Line)
	}
	if err := knownKeys(n, reflect.TypeFor[manifest]()); err != nil {
		return nil, err
	}
	m := &manifest{at: fmt.Sprintf("%s, line %d", file, n.Line)}
	if err := n.Decode(m); err != nil {
		return nil, errors.New(withoutValues(err))
	}
	if m.Name == "" {
		return nil, fmt.Errorf("line %d: the job has no name", n.Line)
	}
	for _, side := range []*manifestSide{&m.Src, &m.Dest} {
		if err := side.readPassword(environ); err != nil {
			return nil, fmt.Errorf("job %s: %w", m.Name, err)
		}
	}
	return []*manifest{m}, nil
}

// knownKeys refuses a key that nobody knows: a misspelt exclude_tables would replicate all.
func knownKeys(n *yaml.Node, typ reflect.Type) error {
	fields := map[string]reflect.Type{}
	var names []string
	for i := range typ.NumField() {
		if name := typ.Field(i).Tag.Get("yaml"); name != "" {
			fields[name] = typ.Field(i).Type
			names = append(names, name)
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, known := fields[key.Value]
		if !known {
			return fmt.Errorf("line %d: unknown key %q%s", key.Line, short(key.Value, 40), config.Meant(key.Value, names))
		}
		if field == reflect.TypeFor[manifestSide]() && value.Kind == yaml.MappingNode {
			if err := knownKeys(value, field); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *manifestSide) readPassword(environ []string) (err error) {
	given := 0
	for _, text := range []string{s.Password, s.PasswordFile, s.PasswordEnv} {
		if text != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return errors.New("give one of password, password_file and password_env")
	case s.PasswordFile != "":
		if s.Password, err = readSecret(s.PasswordFile); err != nil {
			return fmt.Errorf("read password_file: %w", err)
		}
	case s.PasswordEnv != "":
		value, found := lookUp(environ, s.PasswordEnv)
		if !found {
			return fmt.Errorf("password_env: there is no variable %s in the environment", s.PasswordEnv)
		}
		s.Password = value
	}
	return nil
}

// body is the body of create_ccr for the job.
func (m *manifest) body() ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	return body, nil
}

// check makes the checks of create_ccr that need no server.
func (m *manifest) check() error {
	body, err := m.body()
	if err != nil {
		return err
	}
	_, err = apiserver.ReadCreateBody(body)
	return err
}

// create creates the job, and pauses it if the file says so.
func (m *manifest) create(ctx context.Context, asker *client.Client) error {
	body, err := m.body()
	if err != nil {
		return err
	}
	if err := asker.Create(ctx, body); err != nil {
		return err
	}
	if m.Paused != nil && *m.Paused {
		return asker.Command(ctx, m.Name, "pause")
	}
	return nil
}

// shownValue is how the parser quotes a value in an error.
var shownValue = regexp.MustCompile("`[^`]*`")

// withoutValues is the text of an error of the YAML parser without any value of the
// file, which may be a password.
func withoutValues(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n")
	text = shownValue.ReplaceAllString(text, "a value")
	return strings.Join(strings.Fields(text), " ")
}
