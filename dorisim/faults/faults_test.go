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

	_, err = s.Add(faults.Rule{Point: "fe.commitTxn", Action: faults.DropAfter})
	require.NoError(t, err)
	require.NoError(t, s.Before(ctx, "fe.commitTxn"))
	require.ErrorIs(t, s.After(ctx, "fe.commitTxn"), faults.ErrDropped)
	s.Clear()
	require.NoError(t, s.After(ctx, "fe.commitTxn"))
	require.Empty(t, s.Unstruck())
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

// A refusal says what there is.
func TestSenselessRulesAreRefused(t *testing.T) {
	s := &faults.Set{Nodes: func(prefix string) int { return map[string]int{"fe.": 1, "be.": 2}[prefix] }}
	for _, c := range []struct {
		rule faults.Rule
		want string
	}{
		{faults.Rule{Action: faults.Fail}, "without a point"},
		{faults.Rule{Point: "[", Action: faults.Fail}, "syntax error in pattern"},
		{faults.Rule{Point: "commitTxn", Action: faults.Fail}, "there are: fe.beginTxn fe.commitTxn"},
		{faults.Rule{Point: "fe.comitTxn", Action: faults.Fail}, "fe.commitTxn"},
		{faults.Rule{Point: "ingest*", Action: faults.Fail}, "be.ingest_binlog"},
		{faults.Rule{Point: "publish", Action: "explode"}, "there are: drop_before drop_after fail empty delay delay_after hold"},
		{faults.Rule{Point: "publish", Action: faults.DropAfter}, "drop_after does nothing at fault point \"publish\", there are: delay fail hold"},
		{faults.Rule{Point: "restore.*", Action: faults.DropBefore}, "there are: delay fail hold"},
		{faults.Rule{Point: "be.write", Action: faults.DelayAfter, DelayMillis: 1}, "there are: delay drop_before fail hold"},
		{faults.Rule{Point: "be.ingest_binlog", Action: faults.Empty}, "there are: delay delay_after drop_after drop_before fail hold"},
		{faults.Rule{Point: "publish", Action: faults.Delay}, "positive delay_ms"},
		{faults.Rule{Point: "publish", Action: faults.Hold, DelayMillis: 10}, "delay and delay_after do"},
		{faults.Rule{Point: "fe.commitTxn", Action: faults.DropAfter, Message: "no"}, "takes no message, fail does"},
		{faults.Rule{Point: "publish", Action: faults.Hold, Count: -1}, "neither can be negative"},
		{faults.Rule{Point: "publish", Action: faults.Hold, Skip: -1}, "neither can be negative"},
		{faults.Rule{Point: "publish@0", Action: faults.Hold}, "there is no fault point"},
		{faults.Rule{Point: "fe.commitTxn@one", Action: faults.Fail}, "is no index"},
		{faults.Rule{Point: "fe.commitTxn@1", Action: faults.Fail}, "there are 0 to 0"},
		{faults.Rule{Point: "be.ingest_binlog@2", Action: faults.Fail}, "there are 0 to 1"},
	} {
		_, err := s.Add(c.rule)
		require.ErrorContains(t, err, c.want, "%+v", c.rule)
	}
	for _, r := range []faults.Rule{
		{Point: "be.ingest_binlog@1", Action: faults.DropAfter}, {Point: "fe.*@0", Action: faults.DelayAfter, DelayMillis: 1},
		{Point: "be.*", Action: faults.DropAfter}, {Point: "fe.getBinlog@*", Action: faults.Fail, Message: "no"},
	} {
		_, err := s.Add(r)
		require.NoError(t, err, "%+v", r)
	}
	require.NoError(t, (*faults.Set)(nil).Before(context.Background(), "publish"))
}
