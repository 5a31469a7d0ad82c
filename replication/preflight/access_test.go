package preflight

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// check_ccr says which way tells what is applied, and how long it can.
func TestCheckTransactions(t *testing.T) {
	b := pairtest.NewBench(t)
	transactions := func(s *setup) { s.checkTransactions(t.Context()) }
	memory := func(s *setup) { s.checkMemory(t.Context()) }
	line := check(b, transactions)
	require.Equal(t, job.CheckPass, line.Status)
	require.Contains(t, line.Detail, "may list them")
	require.Equal(t, job.CheckPass, check(b, memory).Status)

	b.Dst.Settings = map[string]string{pair.LabelNumber: "100"}
	line = check(b, memory)
	require.Equal(t, job.CheckWarn, line.Status)
	require.Contains(t, line.Detail, "label_num_threshold = 100")
	require.Contains(t, line.Remedy, `"label_num_threshold" = "2000"`)
	b.Dst.Settings = map[string]string{pair.LabelNumber: "-1", pair.LabelSeconds: "600"}
	require.Equal(t, job.CheckWarn, check(b, memory).Status)
	b.Dst.Settings = map[string]string{pair.LabelNumber: "-1"}
	require.Equal(t, job.CheckPass, check(b, memory).Status)
	b.Dst.Settings = map[string]string{pair.LabelNumber: "many"}
	require.Equal(t, job.CheckFail, check(b, memory).Status)

	b.Dst.Denied = true
	line = check(b, transactions)
	require.Equal(t, job.CheckPass, line.Status)
	require.Contains(t, line.Detail, "label by label")
	require.Empty(t, b.Dst.Txns, "nothing is begun by a check")
	line = check(b, memory)
	require.Equal(t, job.CheckPass, line.Status)
	require.Contains(t, line.Detail, "no more than the defaults")

	b.Dst.Unreachable.Store(true)
	require.Equal(t, job.CheckFail, check(b, transactions).Status)
}

// Which versions record what (doris-binlogs.md 2.2, doris-sql.md 7).
func TestCheckRecorded(t *testing.T) {
	for version, want := range map[string]job.CheckStatus{
		"2.0.15": job.CheckWarn, "2.1.7": job.CheckWarn, "2.1.8": job.CheckPass, "3.0.3": job.CheckWarn, "3.0.4": job.CheckPass,
		"3.1.0": job.CheckPass, "4.0.0": job.CheckPass, "": job.CheckWarn,
	} {
		b := pairtest.NewBench(t)
		s := &setup{j: New(b.PairJob())}
		s.j.Source.SQL = b.Dst
		s.checkRecorded(t.Context(), &clusterFacts{version: version})
		require.Equal(t, want, s.report.Checks[0].Status, version)
	}
	b := pairtest.NewBench(t)
	b.Dst.Settings = map[string]string{laterSetting: "true"}
	s := &setup{j: New(b.PairJob())}
	s.j.Source.SQL = b.Dst
	s.checkRecorded(t.Context(), &clusterFacts{})
	require.Equal(t, job.CheckPass, s.report.Checks[0].Status, "a build without a version that is young enough")
}

// A build without a version is no old one.
func TestCheckVersions(t *testing.T) {
	for _, c := range []struct {
		source, destination string
		want                job.CheckStatus
	}{
		{"Doris version doris-3.0.4-rc01", "doris-3.0.4", job.CheckPass},
		{"Doris version doris-0.0.0--Unknown", "doris-3.0.4", job.CheckWarn},
		{"Doris version doris-0.0.0", "Doris version doris-0.0.0", job.CheckWarn},
		{"doris-3.0.4", "Doris version doris-0.0.0", job.CheckWarn},
		{"Doris version doris-trunk-123", "doris-3.0.4", job.CheckWarn},
		{"doris-1.2.7", "doris-3.0.4", job.CheckFail},
	} {
		s := &setup{}
		s.checkVersions(&clusterFacts{version: versionOf(c.source)}, &clusterFacts{version: versionOf(c.destination)})
		require.Equal(t, c.want, s.report.Checks[0].Status, "%v", c)
	}
}

// Who may not list the frontends knows the named one, the master that it names,
// and those of before (doris-sql.md 2.14).
func TestFrontendsThatAreNotListed(t *testing.T) {
	b := pairtest.NewBench(t)
	c := b.PairJob().Destination
	c.Spec = job.Cluster{Host: "fe1", Port: 9030, ThriftPort: 9020, User: "ccr", Database: "d",
		Frontends: []meta.Frontend{{Host: "fe1", Port: 9030, ThriftPort: 9020, IsMaster: true}, {Host: "fe2", Port: 9031, ThriftPort: 9020}}}
	master := fe.Endpoint{Host: "fe1", Port: 9020}
	c.Master = func() fe.Endpoint { return master }
	denied := &sqlclient.Error{Code: 1227, Message: "errCode = 2, detailMessage = Access denied; you need (at least one of) the (ADMIN/OPERATOR) privilege(s) for this operation"}
	b.Dst.FrontendsErr = denied
	list, told, err := listFrontends(c, t.Context())
	require.NoError(t, err)
	require.False(t, told)
	require.Equal(t, []meta.Frontend{{Host: "fe1", Port: 9030, ThriftPort: 9020, IsMaster: true}, {Host: "fe2", Port: 9031, ThriftPort: 9020}}, list)

	master.Host = "fe3"
	list, _, err = listFrontends(c, t.Context())
	require.NoError(t, err)
	require.Equal(t, meta.Frontend{Host: "fe3", Port: 9030, ThriftPort: 9020, IsMaster: true}, list[2])
	require.False(t, list[0].IsMaster)

	b.Dst.FrontendsErr = errors.New("broken")
	_, _, err = listFrontends(c, t.Context())
	require.Error(t, err)
}

// What one step has learned of a cluster's frontends, the next one knows.
func TestLearnedFrontends(t *testing.T) {
	c := pair.NewConnector(pair.Options{})
	t.Cleanup(func() { _ = c.Close() })
	spec := job.Cluster{Host: "fe1", Port: 9030, ThriftPort: 9020}
	c.Learned.Add("fe1:9020", fe.Endpoint{Host: "fe2", Port: 9020})
	c.Learned.Add("fe1:9020", fe.Endpoint{Host: "fe2", Port: 9020})
	require.Equal(t, []fe.Endpoint{{Host: "fe2", Port: 9020}}, c.Learned.Of("fe1:9020"))
	opened := c.OpenCluster("source", spec, "")
	defer opened.Close()
	require.Empty(t, c.Learned.Of("fe9:9020"))
}

// check runs checks and returns their one line.
func check(b *pairtest.Bench, run func(*setup)) job.CheckResult {
	b.T.Helper()
	s := &setup{j: New(b.PairJob()), spec: b.Spec}
	run(s)
	require.Len(b.T, s.report.Checks, 1)
	return s.report.Checks[0]
}
