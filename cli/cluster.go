package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

const clusterLong = `cluster shows the Doris clusters that jobs are between, as a worker sees them at this moment
through the addresses, host mapping and account of a job: frontends and backends, whether they can be
reached, versions, how long binlogs are kept, and until when each job keeps its place in them.`

func (p Program) clusterCommand() *cobra.Command {
	c := p.connection()
	cmd := &cobra.Command{Use: "cluster", Short: "Show the Doris clusters of jobs as a worker sees them", Long: clusterLong,
		Example: "  ccr cluster list\n  ccr cluster describe fe1:9030\n  ccr cluster describe --job sales"}
	c.bind(cmd, cmd.PersistentFlags())
	cmd.AddCommand(c.clusterList(), c.clusterDescribe())
	return withStatuses(group(cmd))
}

func (c *connection) clusterList() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use: "list", Short: "Show all clusters of all jobs", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			return out.show(cmd, func(ctx context.Context) (view, error) {
				all, err := asker.Clusters(ctx)
				if err != nil {
					return view{}, err
				}
				v := view{JSON: all.JSON, Table: func(w io.Writer, _ bool) { tableOfClusters(w, all.Value) }}
				for _, one := range all.Value.Clusters {
					v.Names = append(v.Names, one.Name)
				}
				return v, nil
			})
		},
	}
	out.bindWatch(cmd, formName)
	return cmd
}

func tableOfClusters(w io.Writer, all client.Clusters) {
	rowOf(w, "NAME", "VERSION", "FRONTENDS", "BACKENDS", "JOBS", "PROBLEM")
	for _, one := range all.Clusters {
		rowOf(w, one.Name, one.Version, reached(one.Frontends), reached(one.Backends), len(one.Jobs), short(strings.Join(problems(one), "; "), 80))
	}
	if len(all.Unanswered) > 0 {
		fmt.Fprintf(w, "not told by: %s\n", strings.Join(all.Unanswered, ", "))
	}
}

// reached is how many of the nodes can be reached.
func reached(nodes []client.Node) string {
	n := 0
	for _, node := range nodes {
		if node.Reached {
			n++
		}
	}
	return fmt.Sprintf("%d/%d", n, len(nodes))
}

func problems(one client.ClusterSeen) (list []string) {
	list = append(list, one.Errors...)
	for _, n := range slices.Concat(one.Frontends, one.Backends) {
		switch {
		case n.Error != "":
			list = append(list, n.Error)
		case n.Alive != nil && !*n.Alive:
			list = append(list, n.Host+" is not alive")
		}
	}
	return list
}

func (c *connection) clusterDescribe() *cobra.Command {
	var (
		out output
		job string
	)
	cmd := &cobra.Command{
		Use: "describe [name...]", Short: "Show clusters, or those of one job, in full",
		Long: `describe shows clusters in full: all of them, those of the names that ccr cluster list
shows, or the source and the destination of one job. KEPT UNTIL says how long the source keeps the
binlog that a job needs next: a job that stands still for longer has to begin with a full sync.`,
		ValidArgsFunction: c.completeClusters,
		RunE: func(cmd *cobra.Command, args []string) error {
			if job != "" && len(args) > 0 {
				return usageErrorf("name clusters, or a job with --job")
			}
			asker, err := c.client()
			if err != nil {
				return err
			}
			return out.show(cmd, func(ctx context.Context) (view, error) {
				find := asker.Clusters
				if job != "" {
					find = func(ctx context.Context) (client.Reply[client.Clusters], error) { return asker.JobClusters(ctx, job) }
				}
				all, err := find(ctx)
				if err != nil {
					return view{}, err
				}
				return c.viewOfClusters(all, args)
			})
		},
	}
	out.bindWatch(cmd)
	cmd.Flags().StringVar(&job, "job", "", "the source and the destination of this job")
	_ = cmd.RegisterFlagCompletionFunc("job", c.completeJobs(0))
	return cmd
}

func (c *connection) completeClusters(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	asker, err := c.client()
	if err != nil {
		return nil, noFiles
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	all, err := asker.Clusters(ctx)
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for _, one := range all.Value.Clusters {
		if strings.HasPrefix(one.Name, begun) {
			names = append(names, one.Name)
		}
	}
	return names, noFiles
}

// viewOfClusters chooses the clusters of these names, all if there are none.
func (c *connection) viewOfClusters(all client.Reply[client.Clusters], names []string) (view, error) {
	var raw struct {
		Clusters   []json.RawMessage `json:"clusters"`
		Unanswered []string          `json:"unanswered,omitempty"`
	}
	if err := json.Unmarshal(all.JSON, &raw); err != nil {
		return view{}, err
	}
	chosen, texts := []client.ClusterSeen{}, []json.RawMessage{}
	for i, one := range all.Value.Clusters {
		if len(names) == 0 || slices.Contains(names, one.Name) {
			chosen, texts = append(chosen, one), append(texts, raw.Clusters[i])
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(chosen, func(one client.ClusterSeen) bool { return one.Name == name }) {
			return view{}, &statusError{fmt.Errorf("no job uses a cluster %s (ccr cluster list shows those that there are)", name), exitNotFound}
		}
	}
	raw.Clusters = texts
	v := view{Table: func(w io.Writer, _ bool) {
		for i, one := range chosen {
			if i > 0 {
				fmt.Fprintln(w)
			}
			c.printCluster(w, one)
		}
	}}
	var err error
	v.JSON, err = json.Marshal(raw)
	return v, err
}

func (c *connection) printCluster(w io.Writer, one client.ClusterSeen) {
	field(w, "Cluster", "%s", one.Name)
	field(w, "Version", "%s", one.Version)
	field(w, "Seen", "by %s through job %s (%s), %s", one.From, one.SeenThrough, one.Side, c.ago(one.At))
	for _, text := range one.Errors {
		field(w, "Error", "%s", text)
	}
	for _, name := range slices.Sorted(maps.Keys(one.Limits)) {
		field(w, "Limit", "%s = %s", name, one.Limits[name])
	}
	fmt.Fprintln(w)
	rowOf(w, "FRONTEND", "THRIFT", "PRIVATE", "ROLE", "ALIVE", "REACHED", "VERSION", "PROBLEM")
	for _, n := range one.Frontends {
		role := n.Role
		if n.IsMaster {
			role = "master"
		}
		rowOf(w, address(n.Host, n.Port), n.ThriftPort, n.Private, role, alive(n), yesNo(n.Reached), n.Version, n.Error)
	}
	if one.FrontendsUntold {
		fmt.Fprintln(w, "the account may not list the frontends: these are those that the job knows")
	}
	fmt.Fprintln(w)
	rowOf(w, "BACKEND", "THRIFT", "PRIVATE", "ID", "ALIVE", "REACHED", "VERSION", "PROBLEM")
	for _, n := range one.Backends {
		rowOf(w, address(n.Host, n.HTTPPort), n.Port, n.Private, n.ID, alive(n), yesNo(n.Reached), n.Version, n.Error)
	}
	if len(one.Logs) > 0 {
		fmt.Fprintln(w)
		rowOf(w, "BINLOGS OF", "RECORDED", "KEPT FOR", "FURTHER BOUNDS", "PROBLEM")
		for _, l := range one.Logs {
			rowOf(w, objectOf(l.Database, l.Table), yesNo(l.Enabled), seconds(l.TTLSeconds), bounds(l), l.Error)
		}
	}
	fmt.Fprintln(w)
	rowOf(w, "JOB", "SIDE", "OF", "STATE", "KEPT UNTIL")
	for _, j := range one.Jobs {
		until := ""
		if j.PlaceKeptUntil != nil {
			until = moment(*j.PlaceKeptUntil)
		}
		rowOf(w, j.Name, j.Side, objectOf(j.Database, j.Table), j.State, until)
	}
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func objectOf(database, table string) string {
	c := client.Cluster{Database: database, Table: table}
	return c.Object()
}

func alive(n client.Node) string {
	if n.Alive == nil {
		return ""
	}
	return yesNo(*n.Alive)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func bounds(l client.LogKept) string {
	var list []string
	if l.MaxBytes > 0 {
		list = append(list, fmt.Sprintf("%d bytes", l.MaxBytes))
	}
	if l.MaxBinlogs > 0 {
		list = append(list, fmt.Sprintf("%d binlogs", l.MaxBinlogs))
	}
	return strings.Join(list, ", ")
}
