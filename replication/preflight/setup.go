package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// CheckSetup makes every check of create_ccr and more, and changes nothing. What
// it finds is in the report; an error only means that it was stopped. A side
// that cannot be asked is not looked at any further.
func (j *Job) CheckSetup(ctx context.Context) (job.CheckReport, error) {
	s := &setup{j: j, spec: j.Spec}
	source := s.checkCluster(ctx, j.Source)
	destination := s.checkCluster(ctx, j.Destination)
	if source != nil && destination != nil {
		s.checkVersions(source, destination)
		s.checkWay(source, destination, localHosts())
		if err := j.checkItself(ctx); err != nil {
			s.failed("source and destination", err, "")
		}
	}
	seen := true
	if source != nil {
		seen = s.checkAccount(ctx, j.Source, sourcePrivileges)
		s.checkRecorded(ctx, source)
	}
	if destination != nil {
		s.checkAccount(ctx, j.Destination, destinationPrivileges)
		s.checkTransactions(ctx)
		s.checkMemory(ctx)
	}
	tables := []setupTable{}
	if source != nil && s.checkSourceDatabase(ctx, seen) {
		tables = s.checkSourceTables(ctx)
		s.checkTablets(ctx, tables)
	}
	if destination != nil {
		s.checkDestinationDatabase(ctx, tables)
		s.checkReplicas(destination, tables)
	}
	return s.report, ctx.Err()
}

// setup is one run of CheckSetup.
type setup struct {
	j      *Job
	spec   job.Spec // with what was resolved
	report job.CheckReport
}

func (s *setup) add(check string, status job.CheckStatus, remedy, format string, args ...any) {
	s.report.Checks = append(s.report.Checks, job.CheckResult{
		Check: check, Status: status, Detail: fmt.Sprintf(format, args...), Remedy: remedy,
	})
}

// failed adds the check that ended with err. The text is the one that create_ccr
// would answer; the remedy, which follows there in brackets, has a place of its own.
func (s *setup) failed(check string, err error, remedy string) {
	text := err.Error()
	var refusal *problem.Refusal
	if errors.As(err, &refusal) {
		text = refusal.Text
	}
	if r := problem.Remedy(err); r != "" {
		remedy = r
	}
	s.add(check, job.CheckFail, remedy, "%s", text)
}

// clusterFacts is what the checks of one cluster have found out.
type clusterFacts struct {
	backends []meta.Backend // with public hosts
	alive    int
	reached  bool   // all that live, at the ports that are needed
	version  string // e.g. "3.0.4", "" unknown
}

// checkCluster looks at one cluster as such. nil: it cannot be asked.
func (s *setup) checkCluster(ctx context.Context, c *pair.Cluster) *clusterFacts {
	check := c.Side + ": frontend"
	value, _, err := c.SQL.FrontendConfig(ctx, featureBinlog)
	address := net.JoinHostPort(c.Spec.Host, strconv.Itoa(c.Spec.Port))
	switch {
	case problem.LacksPrivilege(err):
		s.add(check, job.CheckWarn, "see to "+featureBinlog+" = true in fe.conf yourself, or grant Admin_priv",
			"%s answers; without Admin_priv its configuration cannot be read", address)
	case err != nil:
		s.failed(check, Refused(c, "ask frontend for "+featureBinlog, err), "")
		return nil
	case pair.IsTrue(value):
		s.add(check, job.CheckPass, "", "%s answers, %s=true", address, featureBinlog)
	default:
		s.add(check, job.CheckFail, "set "+featureBinlog+" = true in fe.conf of every frontend and restart them",
			"Fe %s enable_feature_binlog=false, please set it true in fe.conf", address)
	}
	facts := &clusterFacts{}
	if !s.checkFrontends(ctx, c) || !s.checkBackends(ctx, c, facts) {
		return nil
	}
	if rows, err := c.SQL.Query(ctx, "SHOW VARIABLES LIKE 'version_comment'"); err == nil && len(rows) > 0 {
		facts.version = versionOf(rows[0].Get("Value"))
	}
	return facts
}

// checkFrontends looks whether every frontend can be reached at its public
// address. One that cannot is missed only when the others fail.
func (s *setup) checkFrontends(ctx context.Context, c *pair.Cluster) bool {
	check := c.Side + ": all frontends"
	list, told, err := listFrontends(c, ctx)
	if err != nil {
		s.failed(check, err, "")
		return false
	}
	var ports []string
	for _, f := range list {
		ports = append(ports, net.JoinHostPort(f.Host, strconv.Itoa(f.Port)), net.JoinHostPort(f.Host, strconv.Itoa(f.ThriftPort)))
	}
	if silent := unreachable(ctx, ports); len(silent) > 0 {
		s.add(check, job.CheckWarn, "start them, open the firewall, or name their public addresses in the host mapping",
			"%s does not reach %s", asker(), strings.Join(silent, ", "))
		return true
	}
	if !told {
		s.add(check, job.CheckWarn, "name an address that stands for all frontends (a load balancer, a DNS name), or grant Node_priv or Admin_priv",
			"user %s may not list them (SHOW FRONTENDS needs Node_priv or Admin_priv): if all that are known fail, the job waits; known and reached: %s. Others become known when one that is no master names the master",
			c.Spec.User, strings.Join(ports, ", "))
		return true
	}
	s.add(check, job.CheckPass, "", "%d reached: %s", len(list), strings.Join(ports, ", "))
	return true
}

// checkBackends looks at every backend: alive, reachable, keeping binlogs.
func (s *setup) checkBackends(ctx context.Context, c *pair.Cluster, facts *clusterFacts) bool {
	check := c.Side + ": backends"
	list, err := c.Backends(ctx)
	if err != nil {
		s.failed(check, Refused(c, "work with its backends", err), "")
		return false
	}
	facts.backends = list
	var ports, dead []string
	for _, b := range list {
		if !b.Alive {
			dead = append(dead, net.JoinHostPort(b.Host, strconv.Itoa(b.Port)))
			continue
		}
		facts.alive++
		ports = append(ports, net.JoinHostPort(b.Host, strconv.Itoa(b.HTTPPort)))
		if c == s.j.Destination { // nobody but its own cluster calls a source's be_port
			ports = append(ports, net.JoinHostPort(b.Host, strconv.Itoa(b.Port)))
		}
	}
	silent := unreachable(ctx, ports)
	facts.reached = len(silent) == 0
	switch {
	case facts.alive == 0:
		s.add(check, job.CheckFail, "start the backends", "none of the %d backends is alive", len(list))
		return true
	case len(silent) > 0:
		s.add(check, job.CheckFail, "open the firewall, or name the backends' public addresses in the host mapping of this side",
			"%s does not reach %s", asker(), strings.Join(silent, ", "))
		return true
	case len(dead) > 0:
		s.add(check, job.CheckWarn, "start them, or drop them from the cluster", "not alive: %s", strings.Join(dead, ", "))
	default:
		s.add(check, job.CheckPass, "", "%d alive and reached: %s", facts.alive, strings.Join(ports, ", "))
	}
	check = c.Side + ": binlogs of backends"
	if err := checkFeature(c, ctx, s.j.Connector); err != nil {
		s.failed(check, err, "set "+featureBinlog+" = true in be.conf of every backend and restart them")
	} else {
		s.add(check, job.CheckPass, "", "%s=true on all of them", featureBinlog)
	}
	return true
}

// dialTimeout bounds one attempt to reach a port.
const dialTimeout = 3 * time.Second

// unreachable returns the addresses that do not accept a connection, in order.
func unreachable(ctx context.Context, addresses []string) []string {
	silent := make([]bool, len(addresses))
	var g errgroup.Group
	g.SetLimit(32)
	for i, address := range addresses {
		g.Go(func() error {
			dialer := net.Dialer{Timeout: dialTimeout}
			conn, err := dialer.DialContext(ctx, "tcp", address)
			if err != nil {
				silent[i] = true
				return nil
			}
			_ = conn.Close() // nothing was sent
			return nil
		})
	}
	_ = g.Wait() // none of the functions fails
	var list []string
	for i, address := range addresses {
		if silent[i] {
			list = append(list, address)
		}
	}
	return list
}

var versionPattern = regexp.MustCompile(`(\d+)\.(\d+)\.(\d+)`)

// noVersion is what a build has that was given no version (doris-sql.md 9).
const noVersion = "0.0.0"

func versionOf(comment string) string {
	version := versionPattern.FindString(comment)
	if version == noVersion {
		return ""
	}
	return version
}

// checkVersions compares both sides. Binlogs of a newer source may hold what an
// older destination cannot do.
func (s *setup) checkVersions(source, destination *clusterFacts) {
	from, to := versionNumbers(source.version), versionNumbers(destination.version)
	const check = "versions"
	switch {
	case from == nil || to == nil:
		s.add(check, job.CheckWarn, "compare the versions of both clusters yourself",
			"the version of a cluster is not told (source %q, destination %q)", source.version, destination.version)
	case from[0] < 2 || to[0] < 2:
		s.add(check, job.CheckFail, "upgrade to Doris 2.1 or later", "source %s, destination %s: Doris has binlogs from 2.0 on", source.version, destination.version)
	case slices.Compare(from, []int{2, 1}) < 0 || slices.Compare(to, []int{2, 1}) < 0:
		s.add(check, job.CheckWarn, "upgrade to Doris 2.1 or later", "source %s, destination %s: ccr is made for 2.1 and later", source.version, destination.version)
	case slices.Compare(to[:2], from[:2]) < 0:
		s.add(check, job.CheckWarn, "upgrade the destination first",
			"source %s is newer than destination %s: it can do things that the destination refuses", source.version, destination.version)
	default:
		s.add(check, job.CheckPass, "", "source %s, destination %s", source.version, destination.version)
	}
}

func versionNumbers(version string) []int {
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return nil
	}
	numbers := make([]int, 0, 3)
	for _, text := range m[1:] {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// checkSourceDatabase makes the checks of create_ccr on the source.
// seen tells whether the account has the privileges without which a database is
// hidden from it. false: there is nothing to look at further.
func (s *setup) checkSourceDatabase(ctx context.Context, seen bool) bool {
	const check = "source: database"
	err := s.j.checkSource(ctx, &s.spec.Source, s.spec.Type())
	if err != nil {
		remedy := fmt.Sprintf("switch binlogs on for each table, then: ALTER DATABASE %s SET PROPERTIES (\"binlog.enable\" = \"true\")", sqlclient.Quote(s.spec.Source.Database))
		if s.spec.Type() == job.TableSync {
			remedy = fmt.Sprintf("ALTER TABLE %s SET (\"binlog.enable\" = \"true\")", sqlclient.Name(s.spec.Source.Database, s.spec.Source.Table))
		}
		var refusal *problem.Refusal
		if errors.As(err, &refusal) && strings.HasSuffix(refusal.Text, "not exists") {
			remedy = "create it, or correct its name"
			if !seen {
				remedy = "grant the privileges first: without them it is hidden from the user"
			}
			s.failed(check, err, remedy)
			return false
		}
		s.failed(check, err, remedy)
		id, err := s.j.Source.DatabaseID(ctx) // its tables can be looked at all the same
		if err != nil {
			return false
		}
		s.spec.Source.DatabaseID = id
	} else {
		s.add(check, job.CheckPass, "", "%s exists and records binlogs", s.spec.Source.Database)
	}
	return true
}
