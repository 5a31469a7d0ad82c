package faults_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
)

func TestRulesStrike(t *testing.T) {
	ctx := context.Background()
	s := &faults.Set{}
	require.NoError(t, s.Before(ctx, "fe.commitTxn"))
	id, err := s.Add(faults.Rule{Point: "fe.*", Action: faults.Fail, Skip: 1, Count: 2, Message: "no"})
	require.NoError(t, err)
	var outcomes []bool
	for range 5 {
		var failure *faults.Failure
		outcomes = append(outcomes, errors.As(s.Before(ctx, "fe.commitTxn"), &failure))
	}
	require.Equal(t, []bool{false, true, true, false, false}, outcomes, "one passes, two are struck")
	require.NoError(t, s.Before(ctx, "be.write"))
	require.Equal(t, 2, s.List()[0].Hits)
	require.True(t, s.Remove(id))
	require.False(t, s.Remove(id))

	_, err = s.Add(faults.Rule{Point: "publish", Action: faults.DropAfter})
	require.NoError(t, err)
	require.NoError(t, s.Before(ctx, "publish"))
	require.ErrorIs(t, s.After(ctx, "publish"), faults.ErrDropped)
	s.Clear()
	require.NoError(t, s.After(ctx, "publish"))
}

func TestDelaysEndWithTheContext(t *testing.T) {
	s := &faults.Set{}
	_, err := s.Add(faults.Rule{Point: "publish", Action: faults.Delay, DelayMillis: 3_600_000})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(time.Millisecond, cancel)
	require.ErrorIs(t, s.Before(ctx, "publish"), context.Canceled)
}

func TestHoldsEndWithTheirRule(t *testing.T) {
	s := &faults.Set{}
	for _, release := range []func(id int){func(id int) { require.True(t, s.Remove(id)) }, func(int) { s.Clear() }} {
		id, err := s.Add(faults.Rule{Point: "publish", Action: faults.Hold, Count: 1})
		require.NoError(t, err)
		passed := make(chan error, 1)
		go func() { passed <- s.Before(t.Context(), "publish") }()
		require.Eventually(t, func() bool { return s.List()[0].Hits == 1 }, 10*time.Second, time.Millisecond)
		require.NoError(t, s.Before(t.Context(), "publish"), "it strikes once")
		select {
		case err := <-passed:
			t.Fatalf("passed before the rule was removed: %v", err)
		default:
		}
		release(id)
		require.NoError(t, <-passed)
	}
	_, err := s.Add(faults.Rule{Point: "publish", Action: faults.Hold})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Before(ctx, "publish"), context.Canceled)
}

func TestSenselessRulesAreRefused(t *testing.T) {
	for _, r := range []faults.Rule{
		{Action: faults.Fail}, {Point: "[", Action: faults.Fail}, {Point: "commitTxn", Action: faults.Fail}, {Point: "fe.comitTxn", Action: faults.Fail},
		{Point: "ingest*", Action: faults.Fail}, {Point: "publish", Action: "explode"}, {Point: "publish", Action: faults.Delay},
	} {
		_, err := (&faults.Set{}).Add(r)
		require.Error(t, err, "%+v", r)
	}
	require.NoError(t, (*faults.Set)(nil).Before(context.Background(), "publish"))
}
