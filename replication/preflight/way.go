package preflight

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// checkWay looks at the way that the rows take: the destination's backends fetch
// them from the source's over HTTP. Nothing that a control plane may ask of a
// destination backend tries it: ingest_binlog registers a transaction on a tablet
// before it connects, and without a tablet it does not connect at all
// (doris-rpc.md 4.1). So the way is known to be open, known to be closed, or a
// person has to try it. here are the addresses of this machine.
func (s *setup) checkWay(source, destination *clusterFacts, here hosts) {
	const check = "backends to backends"
	from, to := livingHosts(source), livingHosts(destination)
	switch {
	case len(from) == 0 || len(to) == 0: // which is a line of its own
	case slices.ContainsFunc(from, isLoopback) && !allOf(to, isLoopback):
		s.add(check, job.CheckFail, "name public addresses of the source's backends in src.host_mapping",
			"the source's backends are known as %s, which leads the destination's backends (%s) to themselves",
			strings.Join(slices.DeleteFunc(from, isNot(isLoopback)), ", "), pair.SomeOf(to))
	case source.reached && allOf(to, here.has):
		s.add(check, job.CheckPass, "", "the destination's backends are on the machine of %s, which reaches %s", asker(), pair.SomeOf(waysTo(source)))
	case allOf(to, func(host string) bool { return slices.Contains(from, host) }):
		s.add(check, job.CheckPass, "", "both sides have the same backends: %s", pair.SomeOf(to))
	default:
		names := ""
		if slices.ContainsFunc(from, func(host string) bool { return net.ParseIP(host) == nil }) {
			names = ", and know these names"
		}
		s.add(check, job.CheckWarn, wayCommand(waysTo(source), to),
			"not tried: the destination's backends have to reach %s%s; only they can tell", pair.SomeOf(waysTo(source)), names)
	}
}

// wayCommand is what a person runs on the destination's backends. Any answer over
// HTTP will do: it is the port from which rows are fetched.
func wayCommand(ways, from []string) string {
	return fmt.Sprintf(`run on each of %s: for be in %s; do curl -sS -m 5 -o /dev/null -w "$be %%{http_code}\n" "http://$be/api/show_config?conf_item=%s"; done `+
		`(200 for each is right; where it times out or is refused, open the firewall or name public addresses in src.host_mapping)`,
		pair.SomeOf(from), strings.Join(ways, " "), featureBinlog)
}

// livingHosts are the hosts of the living backends, each once, in order.
func livingHosts(c *clusterFacts) []string {
	var hosts []string
	for _, b := range c.backends {
		if b.Alive {
			hosts = append(hosts, b.Host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// waysTo are the addresses from which the rows of a source are fetched.
func waysTo(source *clusterFacts) []string {
	var ways []string
	for _, b := range slices.DeleteFunc(slices.Clone(source.backends), func(b meta.Backend) bool { return !b.Alive }) {
		ways = append(ways, net.JoinHostPort(b.Host, strconv.Itoa(b.HTTPPort)))
	}
	return ways
}

func allOf(hosts []string, is func(string) bool) bool {
	return !slices.ContainsFunc(hosts, isNot(is))
}

func isNot(is func(string) bool) func(string) bool {
	return func(host string) bool { return !is(host) }
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// hosts are addresses of one machine.
type hosts []net.Addr

// localHosts are the addresses of the machine on which this process runs. A
// backend at one of them takes the same ways to others as this process.
func localHosts() hosts {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil // then only loopback is known to be here
	}
	return list
}

func (h hosts) has(host string) bool {
	if isLoopback(host) {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && slices.ContainsFunc(h, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

// asker names the process that makes the checks: what it reaches another machine
// may not.
func asker() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "ccr"
	}
	return "ccr on " + name
}
