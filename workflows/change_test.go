package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
)

func sealed(text string) *job.Sealed { s := job.Sealed(text); return &s }

func logins(src, dest *job.ClusterChange) job.Command {
	return job.Command{ClusterChanges: job.ClusterChanges{Src: src, Dest: dest}, By: "ann"}
}

// A new login ends the running shift. The next one has it, the last of two counts, and
// nothing is copied again.
func TestUpdateCredentials(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.signal(time.Minute, job.SignalUpdateCredentials, logins(nil, &job.ClusterChange{Password: sealed("ccr1:0a0b0c0d:first")}))
	b.signal(2*time.Minute, job.SignalUpdateCredentials, logins(&job.ClusterChange{User: "ccr"}, &job.ClusterChange{User: "ccr", Password: sealed("ccr1:0a0b0c0d:second")}))
	b.at(3*time.Minute, func() {
		require.Empty(t, b.outcome("update_credentials@1m0s").Refused)
		require.Len(t, b.streams, 3)
		require.EqualValues(t, "ccr1:sealed", b.streams[0].Spec.Destination.Password)
		require.EqualValues(t, "ccr1:0a0b0c0d:first", b.streams[1].Spec.Destination.Password)
		require.Equal(t, "root", b.streams[1].Spec.Destination.User)
		last := b.streams[2].Spec
		require.EqualValues(t, "ccr1:0a0b0c0d:second", last.Destination.Password)
		require.Equal(t, "ccr", last.Destination.User)
		require.Equal(t, "ccr", last.Source.User)
		require.EqualValues(t, "ccr1:sealed", last.Source.Password, "what is not named stays")
		require.Equal(t, 1, b.progress().FullSyncs)

		events := b.events()
		require.Contains(t, events, "info command update_credentials by ann carried out")
		require.Contains(t, events, "info logging in at the destination as root, with a new password (sealed with the key 0a0b0c0d) from now on")
		require.Contains(t, events, "info logging in at the source as ccr, with the password of before from now on")
		require.NotContains(t, events, "first")
		require.NotContains(t, events, "second")
		detail := query[job.Spec](b, job.QueryDetail)
		require.Equal(t, "ccr", detail.Destination.User)
		require.EqualValues(t, job.Mask, detail.Destination.Password)
		require.EqualValues(t, "ccr1:0a0b0c0d:second", query[job.ChangeCheck](b, job.QueryChangeInput).Spec.Destination.Password)
	})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
}

// The command reaches a job that is paused, stalled, or in a snapshot.
func TestUpdateCredentialsInAnyState(t *testing.T) {
	t.Run("paused", func(t *testing.T) {
		b := newBench(t)
		b.idle()
		b.signal(time.Minute, job.SignalPause, job.Command{})
		b.signal(2*time.Minute, job.SignalUpdateCredentials, logins(&job.ClusterChange{User: "ccr"}, nil))
		b.at(3*time.Minute, func() { require.False(t, b.status().Running, "it stays paused") })
		b.signal(4*time.Minute, job.SignalResume, job.Command{})
		b.at(5*time.Minute, func() { require.Equal(t, "ccr", b.streams[1].Spec.Source.User) })
		b.deleteAt(6 * time.Minute)
		b.mustRun()
	})
	t.Run("stalled", func(t *testing.T) {
		b := newBench(t)
		always(b, job.ActivityStream, 0, func(in job.StreamInput) (job.StreamResult, error) {
			if in.Spec.Destination.Password != "ccr1:0a0b0c0d:new" {
				return job.StreamResult{End: job.EndBlocked, Position: in.Progress.Position, Problem: &job.Problem{Text: "Access denied"}}, nil
			}
			return job.StreamResult{End: job.EndShiftOver, Position: in.Progress.Position}, nil
		})
		b.at(time.Minute, func() { require.True(t, b.status().Stalled) })
		b.signal(time.Minute+time.Second, job.SignalUpdateCredentials, logins(nil, &job.ClusterChange{Password: sealed("ccr1:0a0b0c0d:new")}))
		b.at(time.Minute+2*time.Second, func() { require.False(t, b.status().Stalled, "it is tried at once") })
		b.signal(time.Minute+3*time.Second, job.SignalDelete, job.Command{})
		b.mustRun()
	})
	t.Run("in a snapshot", func(t *testing.T) {
		b := newBench(t)
		b.idle()
		var users []string
		always(b, job.ActivityTakeSnapshot, time.Hour, func(in job.StepInput) (job.SnapshotTaken, error) {
			users = append(users, in.Spec.Source.User)
			return job.SnapshotTaken{Name: "s"}, nil
		})
		b.signal(time.Minute, job.SignalUpdateCredentials, logins(&job.ClusterChange{User: "ccr"}, nil))
		b.deleteAt(3 * time.Hour)
		b.mustRun()
		require.Equal(t, "ccr", users[len(users)-1])
		require.Equal(t, 1, b.progress().FullSyncs, "it is the same snapshot")
	})
}

func TestUpdateCredentialsIsRefused(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.at(time.Minute, func() {
		b.SignalWorkflow(job.SignalUpdateCredentials, map[string]any{"request_id": "r1", "dest": map[string]any{"password": "s3cret"}})
		b.SignalWorkflow(job.SignalUpdateCredentials, map[string]any{"request_id": "r2"})
		b.SignalWorkflow(job.SignalUpdateCredentials, map[string]any{"request_id": "r3", "src": map[string]any{"pasword": "s3cret", "user": "ccr"}})
		b.SignalWorkflow(job.SignalUpdateCredentials, map[string]any{"request_id": "r4", "src": map[string]any{"password": 7}})
	})
	b.at(2*time.Minute, func() {
		require.Contains(t, b.outcome("r1").Refused, `"ccr seal" seals it`)
		require.Equal(t, job.ErrNoCredentials.Error(), b.outcome("r2").Refused)
		require.Equal(t, `unknown field "pasword"`, b.outcome("r3").Refused)
		require.Equal(t, `bad payload: "password" has to be a string, not a number`, b.outcome("r4").Refused)
		require.NotContains(t, b.events(), "s3cret")
		require.Len(t, b.streams, 1, "nothing has changed, and the shift goes on")
		require.Equal(t, "root", query[job.Spec](b, job.QueryDetail).Source.User)
	})
	b.deleteAt(3 * time.Minute)
	b.mustRun()
}

// Another address of a cluster reaches the next shift, without the frontends of before.
func TestUpdateHosts(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.signal(time.Minute, job.SignalUpdateHosts, logins(&job.ClusterChange{Host: "fe9", Port: 9031, Frontends: []meta.Frontend{{Host: "fe9", Port: 9031, ThriftPort: 9020}}}, nil))
	b.signal(2*time.Minute, job.SignalUpdateHosts, logins(nil, &job.ClusterChange{ThriftPort: 9021}))
	b.at(3*time.Minute, func() {
		require.Empty(t, b.outcome("update_hosts@1m0s").Refused)
		require.Len(t, b.streams, 3)
		require.Equal(t, "127.0.0.1", b.streams[0].Spec.Source.Host)
		src, dest := b.streams[2].Spec.Source, b.streams[2].Spec.Destination
		require.Equal(t, []any{"fe9", 9031, 9020, 1}, []any{src.Host, src.Port, src.ThriftPort, len(src.Frontends)})
		require.Equal(t, []any{"127.0.0.1", 9030, 9021, 0}, []any{dest.Host, dest.Port, dest.ThriftPort, len(dest.Frontends)})
		require.Equal(t, "root", src.User)
		require.Equal(t, 1, b.progress().FullSyncs)
		require.Contains(t, b.events(), "info the source is at fe9 from now on (port 9031, thrift_port 9020)")
		require.Contains(t, b.events(), "info the destination is at 127.0.0.1 from now on (port 9030, thrift_port 9021)")
	})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
}

func TestChangesAreRefused(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.at(time.Minute, func() {
		b.SignalWorkflow(job.SignalUpdateHosts, map[string]any{"request_id": "r1"})
		b.SignalWorkflow(job.SignalUpdateHosts, map[string]any{"request_id": "r2", "src": map[string]any{"user": "ccr"}})
		b.SignalWorkflow(job.SignalUpdateCredentials, map[string]any{"request_id": "r3", "dest": map[string]any{"host": "fe9", "user": "ccr"}})
		b.SignalWorkflow(job.SignalUpdateHosts, map[string]any{"request_id": "r4", "src": map[string]any{"port": "9030"}})
		b.SignalWorkflow(job.SignalUpdateOptions, map[string]any{"request_id": "r5"})
		b.SignalWorkflow(job.SignalUpdateOptions, map[string]any{"request_id": "r6", "commit_order": "random"})
		b.SignalWorkflow(job.SignalUpdateOptions, map[string]any{"request_id": "r7", "replication_num": 0})
		b.SignalWorkflow(job.SignalUpdateOptions, map[string]any{"request_id": "r8", "replication_num": 2, "allow_table_exists": true})
	})
	b.at(2*time.Minute, func() {
		for id, want := range map[string]string{
			"r1": job.ErrNoHosts.Error(),
			"r2": "src: [normal] user and password are changed by update_credentials",
			"r3": "dest: [normal] host, port, thrift_port, tls and tls_ca are changed by update_hosts",
			"r4": `bad payload: "port" has to be a whole number, not a string`,
			"r5": job.ErrNoOptions.Error(),
			"r6": `[normal] commit_order "random" is neither "global" nor "per_table"`,
			"r7": "[normal] replication_num 0 is neither -1 nor more than 0",
			"r8": `unknown field "allow_table_exists"`,
		} {
			require.Equal(t, want, b.outcome(id).Refused, id)
		}
		require.Len(t, b.streams, 1, "nothing has changed, and the shift goes on")
	})
	b.deleteAt(3 * time.Minute)
	b.mustRun()
}

// blockedUntilChanged has shifts end blocked, and the job wait, for the first seconds. So a
// command finds no step under way: the fake of a shift, unlike a real one, has no result
// when it is stopped.
func (b *bench) blockedUntilChanged(result job.StreamResult) {
	result.End, result.Problem = job.EndBlocked, &job.Problem{Text: "connection refused"}
	b.shift(0, result)
	b.idle()
}

const whileItWaits = 500 * time.Millisecond

func TestUpdateOptions(t *testing.T) {
	b := newBench(t)
	b.blockedUntilChanged(job.StreamResult{Position: job.Position{CommitSeq: 100}, Settling: job.Settling{Settled: 90, AppliedBeyond: []int64{95, 100}}})
	two, asSource := 2, -1
	b.signal(whileItWaits, job.SignalUpdateOptions, job.Command{UpdateOptions: job.UpdateOptions{ReplicationNum: &two, CommitOrder: job.CommitOrderPerTable}})
	b.signal(2*time.Minute, job.SignalUpdateOptions, job.Command{UpdateOptions: job.UpdateOptions{ReplicationNum: &asSource}})
	b.at(3*time.Minute, func() {
		require.Equal(t, []any{0, job.CommitOrder("")}, []any{b.streams[0].Spec.ReplicationNum, b.streams[0].Spec.CommitOrder})
		require.Equal(t, []any{2, job.CommitOrderPerTable}, []any{b.streams[1].Spec.ReplicationNum, b.streams[1].Spec.CommitOrder})
		require.Equal(t, []any{-1, job.CommitOrderPerTable}, []any{b.streams[2].Spec.ReplicationNum, b.streams[2].Spec.CommitOrder})
		require.Contains(t, b.events(), "info commit_order is per_table, and tables and partitions are made with 2 replicas from now on")
		require.Contains(t, b.events(), "info tables and partitions are made with as many replicas as on the source from now on")
	})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
}

// While it is not certain what is applied, the order stays: each order has the
// destination's transactions tell something else.
func TestCommitOrderStaysWhileItIsUncertainWhatIsApplied(t *testing.T) {
	for what, result := range map[string]job.StreamResult{
		"a commit whose outcome is unknown": {Position: job.Position{CommitSeq: 100}, Unconfirmed: job.Unconfirmed{Since: time.Unix(1_700_000_000, 0)}},
		"a table is ahead of others":        {Position: job.Position{CommitSeq: 100}, Settling: job.Settling{Settled: 90, AppliedBeyond: []int64{95, 105}}},
	} {
		t.Run(what, func(t *testing.T) {
			b := newBench(t)
			b.blockedUntilChanged(result)
			two := 2
			b.signal(whileItWaits, job.SignalUpdateOptions, job.Command{UpdateOptions: job.UpdateOptions{ReplicationNum: &two, CommitOrder: job.CommitOrderPerTable}})
			b.signal(2*time.Minute, job.SignalUpdateOptions, job.Command{UpdateOptions: job.UpdateOptions{CommitOrder: job.CommitOrderGlobal}})
			b.at(3*time.Minute, func() {
				require.Equal(t, errOrderUnsettled.Error(), b.outcome("update_options@"+whileItWaits.String()).Refused)
				require.Empty(t, b.outcome("update_options@2m0s").Refused, "it is global already")
				spec := query[job.Spec](b, job.QueryDetail)
				require.Empty(t, spec.CommitOrder)
				require.Zero(t, spec.ReplicationNum, "a refused command changes nothing")
			})
			b.deleteAt(4 * time.Minute)
			b.mustRun()
		})
	}
}
