package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// configFile is the YAML file.
type configFile struct {
	Clusters []clusterSpec `yaml:"clusters"`
}

// clusterSpec is one cluster as the file has it; see dorisim.Config.
type clusterSpec struct {
	Name            string            `yaml:"name"`
	FEs             int               `yaml:"fes"`
	BEs             int               `yaml:"bes"`
	Host            string            `yaml:"host"`
	AllowAnyHost    bool              `yaml:"allow_any_host,omitempty"`
	Spread          bool              `yaml:"spread,omitempty"`
	PortBase        int               `yaml:"port_base"`
	AdvertisePrefix string            `yaml:"advertise_prefix,omitempty"`
	Profile         string            `yaml:"profile"`
	Version         string            `yaml:"version,omitempty"`
	RootPassword    string            `yaml:"root_password,omitempty"`
	Users           map[string]string `yaml:"users,omitempty"` // name: password
	FEConfig        map[string]string `yaml:"fe_config,omitempty"`
	BEProperties    map[string]string `yaml:"be_properties,omitempty"`
	Framed          bool              `yaml:"framed,omitempty"`
	Disabled        []string          `yaml:"disabled_methods,omitempty"`
	GCPeriod        time.Duration     `yaml:"gc_period,omitempty"`
	LatePercent     int               `yaml:"late_binlogs,omitempty"`
	LateMax         time.Duration     `yaml:"late_binlogs_max,omitempty"`
	LateSeed        uint64            `yaml:"late_binlogs_seed,omitempty"`
}

// options are the flags.
type options struct {
	clusterSpec
	clusters int
	verbose  bool
}

func defaults() options {
	return options{clusters: 1, clusterSpec: clusterSpec{
		FEs: 1, BEs: 1, Host: "127.0.0.1", PortBase: 9030, Profile: core.Instant.Name, Version: string(core.VersionNew), RootPassword: os.Getenv("DORISIM_ROOT_PASSWORD"),
		LateMax: 100 * time.Millisecond,
	}}
}

// portsPerCluster is the distance between the port bases of two clusters.
const portsPerCluster = 1000

// file is what the flags describe.
func (o options) file() configFile {
	var f configFile
	for i := range max(o.clusters, 1) {
		spec := o.clusterSpec
		spec.Name = fmt.Sprintf("cluster%d", i+1)
		if o.clusters == 2 {
			spec.Name = []string{"source", "destination"}[i]
		}
		if spec.PortBase > 0 {
			spec.PortBase += i * portsPerCluster
		}
		spec.AdvertisePrefix = nextPrefix(spec.AdvertisePrefix, i)
		f.Clusters = append(f.Clusters, spec)
	}
	return f
}

// nextPrefix counts the last number of an address prefix up by i, so that no two
// clusters advertise the same addresses: "10.66.0." becomes "10.66.1.".
func nextPrefix(prefix string, i int) string {
	head := strings.TrimSuffix(prefix, ".")
	at := strings.LastIndexByte(head, '.') + 1
	n, err := strconv.Atoi(head[at:])
	if err != nil {
		return prefix
	}
	return fmt.Sprintf("%s%d.", head[:at], n+i)
}

func readFile(path string) (configFile, error) {
	var f configFile
	data, err := os.ReadFile(path)
	if err != nil {
		return f, fmt.Errorf("read the configuration: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&f); err != nil {
		return f, fmt.Errorf("read %s: %w", path, err)
	}
	if len(f.Clusters) == 0 {
		return f, errors.New(path + " names no clusters")
	}
	return f, nil
}

// write prints the file without the password.
func (f configFile) write(w io.Writer) error {
	for i := range f.Clusters {
		f.Clusters[i].RootPassword = ""
	}
	data, err := yaml.Marshal(f)
	if err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	_, err = w.Write(data)
	return err
}

func (s clusterSpec) config(logger *slog.Logger) (dorisim.Config, error) {
	profile, err := core.ProfileByName(s.Profile)
	if err != nil {
		return dorisim.Config{}, fmt.Errorf("cluster %s: %w", s.Name, err)
	}
	switch v := core.Version(s.Version); v {
	case "", core.VersionNew, core.VersionM24, core.Version30, core.Version21:
	default:
		return dorisim.Config{}, fmt.Errorf("cluster %s: unknown version %q, there are %s, %s, %s and %s", s.Name, v, core.VersionNew, core.VersionM24, core.Version30, core.Version21)
	}
	if s.LatePercent < 0 || s.LatePercent > 100 || s.LateMax < 0 {
		return dorisim.Config{}, fmt.Errorf("cluster %s: late binlogs are 0 to 100 percent, up to 0s or more", s.Name)
	}
	cfg := dorisim.Config{
		Name: s.Name, FEs: s.FEs, BEs: s.BEs, Host: s.Host, AllowAnyHost: s.AllowAnyHost, Spread: s.Spread, PortBase: s.PortBase, AdvertisePrefix: s.AdvertisePrefix,
		Profile: profile, Version: core.Version(s.Version), RootPassword: s.RootPassword, FEConfig: s.FEConfig, BEProperties: s.BEProperties,
		Framed: s.Framed, Disabled: s.Disabled, GCPeriod: s.GCPeriod, Admin: true, Logger: logger,
	}
	if s.LatePercent > 0 {
		cfg.LateFiling = core.LateFiling{Percent: s.LatePercent, Max: s.LateMax, Seed: s.LateSeed}
	}
	for name, password := range s.Users {
		cfg.Users = append(cfg.Users, core.User{Name: name, Password: password, Admin: true})
	}
	return cfg, nil
}

// printAddresses tells what listens where.
func printAddresses(out io.Writer, clusters []*dorisim.Cluster) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CLUSTER\tNODE\tMYSQL\tTHRIFT\tHTTP")
	for _, c := range clusters {
		for i := range c.FEs() {
			f := c.FE(i)
			fmt.Fprintf(w, "%s\tFE %d\t%s\t%s\t%s\n", c.Name(), i, f.MySQLAddr(), f.ThriftAddr(), f.HTTPAddr())
		}
		for i := range c.BEs() {
			b := c.BE(i)
			fmt.Fprintf(w, "%s\tBE %d\t\t%s:%d\t%s:%d\n", c.Name(), i, b.Host(), b.BePort(), b.Host(), b.HTTPPort())
		}
		fmt.Fprintf(w, "%s\tadmin\t\t\t%s\n", c.Name(), c.AdminAddr())
	}
	_ = w.Flush()
	if len(clusters) > 0 {
		first := clusters[0]
		host, port, err := net.SplitHostPort(first.FE(0).MySQLAddr())
		if err == nil {
			fmt.Fprintf(out, "Ready. Connect with: mysql -h %s -P %s -u root. Faults and more: curl %s/. Ctrl-C stops.\n", host, port, first.AdminAddr())
		}
	}
}
