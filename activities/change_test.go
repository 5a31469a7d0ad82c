package activities

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
	"github.com/doris-ccr/ccr/replication/problem"
)

// A change is tried with the passwords of the sides that it is about. That of the other
// may be sealed with a key that is lost: so the job can be told new ones.
func TestCheckChange(t *testing.T) {
	b := newBench(t)
	in := job.ChangeCheck{Spec: input(t, b).Spec, Source: true}
	in.Spec.Destination.Password = "ccr1:00000000:sealed with a key that is lost"
	b.fake.change = func(_ context.Context, in job.ChangeCheck) (job.ChangeChecked, error) {
		require.True(t, in.Source)
		return job.ChangeChecked{}, nil
	}
	_, err := call[job.ChangeChecked](b, job.ActivityCheckChange, in)
	require.NoError(t, err)
	require.Equal(t, replication.Passwords{Source: "s3cret"}, b.fake.passwords)

	// With another address both sides are looked at.
	in.SourceWas = &job.Cluster{}
	_, err = call[job.ChangeChecked](b, job.ActivityCheckChange, in)
	require.ErrorContains(t, err, "does not have")

	// A refusal is a result: it is told, and not tried again.
	in.SourceWas = nil
	b.fake.change = func(context.Context, job.ChangeCheck) (job.ChangeChecked, error) {
		return job.ChangeChecked{Another: true}, &problem.Refusal{Text: "fe9 is another cluster", Remedy: "name another"}
	}
	checked, err := call[job.ChangeChecked](b, job.ActivityCheckChange, in)
	require.NoError(t, err)
	require.Equal(t, job.ChangeChecked{Refused: "fe9 is another cluster (name another)", Another: true}, checked)
}
