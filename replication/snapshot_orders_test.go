package replication

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// deaf is a cluster that answers orders in some way and never shows their jobs.
type deaf struct {
	script
	answer error
	orders int
}

func (d *deaf) RestoreSnapshot(context.Context, fe.RestoreRequest) error {
	d.orders++
	return d.answer
}

func (d *deaf) Exec(_ context.Context, statement string) error {
	if strings.HasPrefix(statement, "BACKUP") {
		d.orders++
	}
	return d.answer
}

func TestOrdersThatComeToNothing(t *testing.T) {
	ctx := context.Background()
	for _, answer := range []error{nil, &fe.TransportError{Sent: true, Err: errors.New("broken pipe")}} {
		dst := &deaf{answer: answer}
		j := scripted(databaseSpec(), &script{snapshot: snapshotOf(oneTable)}, nil)
		j.destination.fe, j.destination.sql = dst, dst
		_, err := j.RestoreSnapshot(ctx, ordered(databaseSpec(), nil, "s"), nil)
		require.ErrorContains(t, err, "was ordered 3 times and never seen")
		require.ErrorContains(t, err, "MB of metadata")
		require.Contains(t, Remedy(err), "thrift_max_message_size")
		require.Equal(t, ordersUnseen, dst.orders)
		if answer != nil {
			require.ErrorContains(t, err, "broken pipe")
		}
	}
	src := &deaf{script: script{names: []string{"t"}}, answer: &sqlclient.NetworkError{Sent: true, Err: errors.New("broken pipe")}}
	j := scripted(databaseSpec(), nil, &script{})
	j.source.fe, j.source.sql = src, src
	_, err := j.TakeSnapshot(ctx, ordered(databaseSpec(), nil, ""), nil)
	require.ErrorContains(t, err, "was ordered 3 times and never seen")
	require.NotEmpty(t, Remedy(err))
	require.Equal(t, ordersUnseen, src.orders)
}

// The metadata of a snapshot is not sent while somebody else's restore is under way.
func TestRestoreWaitsForItsTurn(t *testing.T) {
	dst := &queue{looks: 5}
	j := scripted(databaseSpec(), &script{snapshot: snapshotOf(oneTable)}, nil)
	j.destination.fe, j.destination.sql = dst, dst
	var notes []string
	got, err := j.RestoreSnapshot(context.Background(), ordered(databaseSpec(), nil, "s"), func(b job.Heartbeat) { notes = append(notes, b.Note) })
	require.NoError(t, err)
	require.NotNil(t, got.Restored)
	require.Len(t, dst.submitted, 1)
	require.Contains(t, notes, "waiting: restore theirs is DOWNLOADING")
}

// queue is a destination whose slot for restores is taken for some looks.
type queue struct {
	script
	looks int
}

func (q *queue) RestoreJobs(ctx context.Context, db, prefix string) ([]sqlclient.RestoreJob, error) {
	if prefix == "" && q.looks > 0 {
		q.looks--
		return []sqlclient.RestoreJob{{Label: "theirs", State: "DOWNLOADING"}}, nil
	}
	return q.script.RestoreJobs(ctx, db, prefix)
}
