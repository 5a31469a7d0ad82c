package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// publishedEnv has clusters that advertise hosts on which nothing listens: names
// that no resolver knows on the source, addresses on the destination. What a
// host mapping leads to can be taken away.
func publishedEnv(t *testing.T) *env {
	return newEnv(t, harness.PairOptions{FEs: 2, BEs: 2, SourcePrivate: "doris.source.invalid-", DestinationPrivate: "127.251.7."})
}

func (e *env) publish(c *harness.Cluster) *harness.Public {
	e.Helper()
	p, err := c.Publish()
	require.NoError(e, err)
	e.Cleanup(p.Close)
	return p
}

// awaitStalled waits until the job says that it cannot go on, for a reason with
// all the words, and that update_host_mapping is the way out.
func (e *env) awaitStalled(job string, words ...string) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err != nil {
			return err
		}
		if !s.Stalled {
			return errors.New("the job is not stalled")
		}
		said := s.LastError.Text + " " + s.LastError.Remedy
		for _, word := range append(words, "update_host_mapping") {
			if !strings.Contains(said, word) {
				return fmt.Errorf("%q is not in: %s", word, said)
			}
		}
		return nil
	}))
}

func (e *env) updateHostMapping(job string, source, destination map[string]string) {
	e.Helper()
	_, err := e.ccr.Call(e.ctx, "update_host_mapping", map[string]any{"name": job, "src_host_mapping": source, "dest_host_mapping": destination})
	require.NoError(e, err)
}

// mappings are what job_detail shows.
func (e *env) mappings(job string) (source, destination map[string]any) {
	e.Helper()
	reply, err := e.ccr.Call(e.ctx, "job_detail", map[string]any{"name": job})
	require.NoError(e, err)
	side := func(name string) map[string]any {
		found := find(reply, name, "host_mapping")
		mapping, _ := found.(map[string]any)
		return mapping
	}
	return side("src"), side("dest")
}

// find looks for a path of keys anywhere in a reply.
func find(v any, path ...string) any {
	m, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	if next, ok := m[path[0]]; ok {
		if len(path) == 1 {
			return next
		}
		if got := find(next, path[1:]...); got != nil {
			return got
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if got := find(m[key], path...); got != nil {
			return got
		}
	}
	return nil
}

// Both clusters can be reached at public addresses only, and a job runs through
// its host mapping: the first sync, increments, a change of the master, a full
// sync. Then the public addresses change.
func TestHostMapping(t *testing.T) {
	t.Parallel()
	e := publishedEnv(t)
	source, destination := e.publish(e.pair.Source), e.publish(e.pair.Destination)
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'before')")

	request := map[string]any{"name": e.jobName(), "src": source.Spec("d", ""), "dest": destination.Spec("d", "")}
	refused := func(change func(map[string]string)) string {
		t.Helper()
		src := source.Spec("d", "")
		mapping := maps.Clone(source.HostMapping())
		change(mapping)
		src["host_mapping"] = mapping
		_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": e.jobName(), "src": src, "dest": request["dest"]})
		require.Error(t, err)
		return err.Error()
	}
	require.Contains(t, refused(func(m map[string]string) { clear(m) }), "doris.source.invalid-", "nothing works without")
	require.Contains(t, refused(func(m map[string]string) { delete(m, "doris.source.invalid-102") }), "update_host_mapping")

	destinationMapping := maps.Clone(destination.HostMapping())
	destinationMapping["127.251.7.99"] = "" // as in the user's document: there is none
	request["dest"].(map[string]any)["host_mapping"] = destinationMapping
	_, err := e.ccr.Call(e.ctx, "create_ccr", request)
	require.NoError(t, err)
	job := e.jobName()
	e.endWithTest(job)
	e.awaitEqual(job, "d", "d")

	// A frontend that is not the master any more names the new one by its
	// private host.
	for _, c := range []*harness.Cluster{e.pair.Source, e.pair.Destination} {
		require.NoError(t, c.SwitchMaster(1))
	}
	e.exec("INSERT INTO d.t VALUES (2, 'to the new masters')")
	e.awaitEqual(job, "d", "d")

	stop := e.writeForever("d", "t")
	defer stop()
	source.Close()
	e.awaitStalled(job)
	destination.Close()
	source, destination = e.publish(e.pair.Source), e.publish(e.pair.Destination)
	e.updateHostMapping(job, source.HostMapping(), nil)
	e.awaitStalled(job, "127.") // the other side is still to be told
	e.updateHostMapping(job, nil, destination.HostMapping())
	stop()
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)

	_, err = e.ccr.Call(e.ctx, "force_fullsync", map[string]any{"name": job})
	require.NoError(t, err)
	e.exec("INSERT INTO d.t VALUES (3, 'after a full sync')")
	e.awaitThat(job, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err == nil && s.FullSyncs != 2 {
			err = fmt.Errorf("%d full syncs", s.FullSyncs)
		}
		if err != nil {
			return err
		}
		return harness.CompareDatabases(ctx, e.src, "d", e.dst, "d")
	})
	e.hostMappingMerges(job, source)
}

// hostMappingMerges: keys that are not named stay, an empty value deletes, and
// what is missing then is named.
func (e *env) hostMappingMerges(job string, source *harness.Public) {
	e.Helper()
	const backend = "doris.source.invalid-102"
	_, before := e.mappings(job)
	require.NotContains(e, before, "127.251.7.99")
	require.Len(e, before, 4)

	e.updateHostMapping(job, map[string]string{backend: "", "of.no.use.invalid": "127.0.0.9"}, nil)
	now, other := e.mappings(job)
	require.NotContains(e, now, backend)
	require.Equal(e, "127.0.0.9", now["of.no.use.invalid"])
	require.Equal(e, before, other, "the other side stays as it is")
	e.exec("INSERT INTO d.t VALUES (4, 'from a backend without an address'), (5, 'x'), (6, 'y'), (7, 'z')")
	e.awaitStalled(job, "the public ip of "+backend+" is not found")

	e.updateHostMapping(job, map[string]string{backend: source.HostMapping()[backend], "of.no.use.invalid": ""}, nil)
	now, _ = e.mappings(job)
	require.Len(e, now, 4)
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 2)
}

// The public value of a mapping may be a name: the worker resolves it for
// frontends and the destination's backends, and the destination's backends
// resolve it for the source's.
func TestHostMappingToNames(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2, SourcePrivate: "doris.source.invalid-", DestinationPrivate: "127.251.9."})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'in the snapshot')")

	named := func(c *harness.Cluster, private string) map[string]any {
		spec := c.Spec("d", "")
		spec["host"] = "localhost"
		spec["host_mapping"] = map[string]string{private + "1": "localhost", private + "101": "localhost", private + "102": "localhost"}
		return spec
	}
	request := map[string]any{"src": named(e.pair.Source, "doris.source.invalid-"), "dest": named(e.pair.Destination, "127.251.9.")}
	overall, lines := e.check(func(b map[string]any) { maps.Copy(b, request) })
	require.Equal(t, "pass", overall, "%v", lines)
	request["name"] = e.jobName()
	_, err := e.ccr.Call(e.ctx, "create_ccr", request)
	require.NoError(t, err)
	job := e.jobName()
	e.endWithTest(job)
	e.awaitEqual(job, "d", "d")
	e.exec("INSERT INTO d.t VALUES (2, 'by a binlog')")
	e.awaitEqual(job, "d", "d")
	src, dest := e.mappings(job)
	require.Equal(t, "localhost", src["doris.source.invalid-101"])
	require.Equal(t, "localhost", dest["127.251.9.101"])
}
