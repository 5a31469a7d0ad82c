package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
