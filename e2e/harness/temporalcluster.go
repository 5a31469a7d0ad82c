package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// TemporalCluster is Temporal as it runs in production: real servers on
// PostgreSQL, configured by the files of deploy/temporal.
type TemporalCluster struct {
	Servers []*Process
	// Addresses of the frontends, in the order of Servers.
	Addresses []string

	dir      string
	postgres *Postgres
}

// temporalServices are the services of a server, each with a gRPC port and one
// for the membership protocol.
var temporalServices = []string{"frontend", "history", "matching", "worker"}

// postgresUser may do everything on a Postgres, without a password.
const postgresUser = "postgres"

// StartTemporalCluster runs one server on each host, a loopback address, with
// logs and configuration below dir, and makes the namespace "default".
func StartTemporalCluster(ctx context.Context, dir string, hosts ...string) (_ *TemporalCluster, err error) {
	c := &TemporalCluster{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if c.postgres, err = StartPostgres(ctx); err != nil {
		return nil, err
	}
	for database, schema := range map[string]string{"temporal": "temporal", "temporal_visibility": "visibility"} {
		if err := c.makeSchema(ctx, database, schema); err != nil {
			return nil, err
		}
	}
	// The members of a cluster have the same ports, each on its own address.
	ports, err := FreePorts(2 * len(temporalServices))
	if err != nil {
		return nil, err
	}
	for i, host := range hosts {
		// One after the other: the first one writes down what the cluster is.
		if err := c.startServer(i+1, host, ports); err != nil {
			return nil, err
		}
		if err := AwaitTemporal(ctx, c.Addresses[i], c.Servers[i]); err != nil {
			return nil, err
		}
	}
	return c, c.makeNamespace(ctx)
}

// Address is what ccr is given as --temporal-address.
func (c *TemporalCluster) Address() string { return strings.Join(c.Addresses, ",") }

// Stop ends everything at once; nothing is kept.
func (c *TemporalCluster) Stop() error {
	for _, s := range c.Servers {
		if !s.Exited() {
			s.Kill()
		}
	}
	if c.postgres == nil {
		return nil
	}
	return c.postgres.Stop()
}

// makeSchema does what deploy/temporal/setup.sh does.
func (c *TemporalCluster) makeSchema(ctx context.Context, database, schema string) error {
	tool, err := Binary("temporal-sql-tool")
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"create"}, {"setup-schema", "-v", "0.0"}, {"update-schema", "--schema-name", "postgresql/v12/" + schema},
	} {
		// The server takes connections a little before it takes statements.
		err := Await(ctx, readyWithin, func(ctx context.Context) error {
			cmd := exec.CommandContext(ctx, tool, append([]string{"--plugin", "postgres12", "--ep", "127.0.0.1",
				"--port", strconv.Itoa(c.postgres.Port), "--user", postgresUser, "--db", database}, args...)...)
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("temporal-sql-tool %s: %w: %s", args[0], err, out)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *TemporalCluster) startServer(number int, host string, ports []int) error {
	path, err := Binary("temporal-server")
	if err != nil {
		return err
	}
	config, err := c.config(host, ports)
	if err != nil {
		return err
	}
	name := "temporal" + strconv.Itoa(number)
	file := filepath.Join(c.dir, name+".yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return fmt.Errorf("configuration of %s: %w", name, err)
	}
	p, err := StartProcess(name, path, filepath.Join(c.dir, name+".log"), nil, "--config-file", file, "--allow-no-auth", "start")
	if err != nil {
		return err
	}
	c.Servers = append(c.Servers, p)
	c.Addresses = append(c.Addresses, host+":"+strconv.Itoa(ports[0]))
	return nil
}

// config is deploy/temporal/server.yaml with the addresses of this cluster.
func (c *TemporalCluster) config(host string, ports []int) ([]byte, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	shipped := filepath.Join(root, "deploy", "temporal", "server.yaml")
	text, err := os.ReadFile(shipped)
	if err != nil {
		return nil, fmt.Errorf("configuration of Temporal: %w", err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", shipped, err)
	}
	dynamic, err := c.dynamicConfig(filepath.Join(root, "deploy", "temporal", "dynamicconfig.yaml"))
	if err != nil {
		return nil, err
	}
	frontend := host + ":" + strconv.Itoa(ports[0])
	changes := map[string]any{
		"persistence.datastores.default.sql.connectAddr":       c.postgres.Addr(),
		"persistence.datastores.default.sql.user":              postgresUser,
		"persistence.datastores.visibility.sql.user":           postgresUser,
		"persistence.datastores.visibility.sql.connectAddr":    c.postgres.Addr(),
		"global.membership.broadcastAddress":                   host,
		"publicClient.hostPort":                                frontend,
		"clusterMetadata.clusterInformation.active.rpcAddress": frontend,
		"dynamicConfigClient.filepath":                         dynamic,
	}
	for i, service := range temporalServices {
		rpc := "services." + service + ".rpc."
		changes[rpc+"grpcPort"] = ports[2*i]
		changes[rpc+"membershipPort"] = ports[2*i+1]
		changes[rpc+"bindOnIP"] = host
	}
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		if err := replace(config, key, changes[key]); err != nil {
			return nil, fmt.Errorf("%s: %w", shipped, err)
		}
	}
	return yaml.Marshal(config)
}

// dynamicConfig copies the shipped file and adds that workflows can be paused, which
// a server does not allow by itself. It returns the path of the copy.
func (c *TemporalCluster) dynamicConfig(shipped string) (string, error) {
	text, err := os.ReadFile(shipped)
	if err != nil {
		return "", fmt.Errorf("dynamic configuration of Temporal: %w", err)
	}
	file := filepath.Join(c.dir, "dynamicconfig.yaml")
	text = append(text, "\nfrontend.WorkflowPauseEnabled:\n  - value: true\n"...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", fmt.Errorf("dynamic configuration of Temporal: %w", err)
	}
	return file, nil
}

// replace sets a value that is there already; key is its path, with dots.
func replace(config map[string]any, key string, value any) error {
	path := strings.Split(key, ".")
	for _, name := range path[:len(path)-1] {
		next, ok := config[name].(map[string]any)
		if !ok {
			return fmt.Errorf("no %s, on the way to %s", name, key)
		}
		config = next
	}
	last := path[len(path)-1]
	if _, ok := config[last]; !ok {
		return fmt.Errorf("no %s", key)
	}
	config[last] = value
	return nil
}

// makeNamespace makes the namespace of the jobs, as deploy/temporal/namespace.sh
// does, and waits until all servers know it.
func (c *TemporalCluster) makeNamespace(ctx context.Context) error {
	for _, address := range c.Addresses {
		namespaces, err := client.NewNamespaceClient(client.Options{HostPort: address, Logger: quiet{}})
		if err != nil {
			return fmt.Errorf("temporal at %s: %w", address, err)
		}
		err = Await(ctx, readyWithin, func(ctx context.Context) error {
			err := namespaces.Register(ctx, &workflowservice.RegisterNamespaceRequest{
				Namespace: client.DefaultNamespace, WorkflowExecutionRetentionPeriod: durationpb.New(7 * 24 * time.Hour),
			})
			var exists *serviceerror.NamespaceAlreadyExists
			if err != nil && !errors.As(err, &exists) {
				return fmt.Errorf("make namespace: %w", err)
			}
			_, err = namespaces.Describe(ctx, client.DefaultNamespace)
			return err
		})
		namespaces.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
