package snapshot

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
)

// deaf is a cluster that answers orders in some way and never shows their jobs.
type deaf struct {
	pairtest.Script
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
		j := New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{Snap: snapshotOf(oneTable)}, nil))
		j.Destination.FE, j.Destination.SQL = dst, dst
		_, err := j.RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, "s"), nil)
		require.ErrorContains(t, err, "was ordered 3 times and never seen")
		require.ErrorContains(t, err, "MB of metadata")
		require.Contains(t, problem.Remedy(err), "thrift_max_message_size")
		require.Equal(t, ordersUnseen, dst.orders)
		if answer != nil {
			require.ErrorContains(t, err, "broken pipe")
		}
	}
	src := &deaf{Script: pairtest.Script{Names: []string{"t"}}, answer: &sqlclient.NetworkError{Sent: true, Err: errors.New("broken pipe")}}
	j := New(pairtest.Scripted(pairtest.DatabaseSpec(), nil, &pairtest.Script{}))
	j.Source.FE, j.Source.SQL = src, src
	_, err := j.TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, ""), nil)
	require.ErrorContains(t, err, "was ordered 3 times and never seen")
	require.NotEmpty(t, problem.Remedy(err))
	require.Equal(t, ordersUnseen, src.orders)
}

// The metadata of a snapshot is not sent while somebody else's restore is under way.
func TestRestoreWaitsForItsTurn(t *testing.T) {
	dst := &queue{looks: 5}
	j := New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{Snap: snapshotOf(oneTable)}, nil))
	j.Destination.FE, j.Destination.SQL = dst, dst
	var notes []string
	got, err := j.RestoreSnapshot(context.Background(), ordered(pairtest.DatabaseSpec(), nil, "s"), func(b job.Heartbeat) { notes = append(notes, b.Note) })
	require.NoError(t, err)
	require.NotNil(t, got.Restored)
	require.Len(t, dst.Submitted, 1)
	require.Contains(t, notes, "waiting: restore theirs is DOWNLOADING")
}

// queue is a destination whose slot for restores is taken for some looks.
type queue struct {
	pairtest.Script
	looks int
}

func (q *queue) RestoreJobs(ctx context.Context, db, prefix string) ([]sqlclient.RestoreJob, error) {
	if prefix == "" && q.looks > 0 {
		q.looks--
		return []sqlclient.RestoreJob{{Label: "theirs", State: "DOWNLOADING"}}, nil
	}
	return q.Script.RestoreJobs(ctx, db, prefix)
}
