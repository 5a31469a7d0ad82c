package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// The position of a shift that ends without an answer is lost; what the next one
// has to know is since when the destination alone knows it (architecture.md 4.2).
func TestAShiftWithoutAnAnswerIsRemembered(t *testing.T) {
	b := newBench(t)
	b.shift(time.Minute, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 130}})
	for range 2 {
		once(b, job.ActivityStream, 3*time.Minute, func(job.StreamInput) (job.StreamResult, error) {
			return job.StreamResult{}, failed(job.Problem{Text: "the worker is gone"})
		})
	}
	b.shift(time.Minute, job.StreamResult{End: job.EndShiftOver, Notes: []string{"rollups were dropped"},
		Tables: job.TableChanges{Set: map[int64]job.Table{11: {DestID: 21, Name: "orders", Unconfirmed: true}}}})
	b.idle()
	b.at(30*time.Minute, func() { require.True(t, b.progress().Tables[11].Unconfirmed) })
	b.deleteAt(time.Hour)
	b.mustRun()
	require.True(t, b.streams[1].Progress.Unconfirmed.Since.IsZero())
	lost := b.streams[2].Progress.Unconfirmed.Since
	require.False(t, lost.IsZero())
	require.True(t, lost.Equal(b.streams[3].Progress.Unconfirmed.Since), "the first of them counts")
	require.True(t, b.streams[4].Progress.Unconfirmed.Since.IsZero(), "the next one has asked")
	require.Contains(t, b.events(), "warn rollups were dropped")
}

// A shift may end with an answer and yet not know what its last commits did.
func TestWhatAShiftDoesNotKnowIsRemembered(t *testing.T) {
	b := newBench(t)
	since := time.Unix(1_700_000_500, 0).UTC()
	b.shift(time.Minute, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "no route"}, Unconfirmed: job.Unconfirmed{Since: since, To: 140}, Settling: job.Settling{AppliedBeyond: []int64{150}}})
	once(b, job.ActivityStream, time.Minute, func(job.StreamInput) (job.StreamResult, error) {
		return job.StreamResult{}, failed(job.Problem{Text: "the worker is gone"})
	})
	b.idle()
	b.deleteAt(time.Hour)
	b.mustRun()
	require.True(t, since.Equal(b.streams[1].Progress.Unconfirmed.Since))
	require.Equal(t, int64(140), b.streams[1].Progress.Unconfirmed.To)
	require.True(t, since.Equal(b.streams[2].Progress.Unconfirmed.Since), "the first time counts")
	require.Zero(t, b.streams[2].Progress.Unconfirmed.To, "nobody knows how far the lost one came")
	require.Equal(t, []int64{150}, b.streams[2].Progress.AppliedBeyond, "what was known stays known")
	require.Zero(t, b.streams[3].Progress.Unconfirmed.Since)
}

// What has been applied since the last full sync stays, whatever came by partial
// syncs since.
func TestTheEpochOfTheLastFullSyncIsKept(t *testing.T) {
	b := newBench(t)
	partial := job.Command{SkipBinlog: job.SkipBinlog{SkipBy: job.SkipPartialSync, SkipTable: "orders", SkipTableID: 11}}
	b.idle()
	b.signal(time.Minute, job.SignalSkipBinlog, partial)
	b.at(2*time.Minute, func() {
		require.Equal(t, b.progress().Epoch-1, b.progress().FirstEpoch)
	})
	b.signal(3*time.Minute, job.SignalForceFullSync, job.Command{})
	b.at(4*time.Minute, func() {
		require.Equal(t, b.progress().Epoch, b.progress().FirstEpoch)
	})
	b.deleteAt(5 * time.Minute)
	b.mustRun()

	lost := job.Progress{Epoch: 70, Unconfirmed: job.Unconfirmed{Since: time.Now(), To: 9}}
	lost.StartFullSync(job.DatabaseSync, time.Now(), 5, "")
	require.Zero(t, lost.Unconfirmed.Since, "what was applied before is replaced")
	require.Zero(t, lost.Unconfirmed.To)

	imported := job.Progress{Epoch: 70, State: job.DBIncrementalSync}
	imported.StartPartialSync(job.DatabaseSync, time.Now(), 5, job.PartialSync{TableID: 11, Table: "orders"}, "")
	require.Equal(t, int64(70), imported.FirstEpoch)
}

func TestWhatADestinationRefusesIsAnEvent(t *testing.T) {
	b := newBench(t)
	b.shift(0, job.StreamResult{End: job.EndBinlog, Binlog: &job.Binlog{CommitSeq: 131, Type: binlog.TypeModifyTableProperty, Summary: "MODIFY_TABLE_PROPERTY of orders"}})
	once(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Done: true, Summary: "not set", Refused: "Unknown table property: [x] (statement: ALTER TABLE orders SET (x))"}, nil
	})
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "warn the destination refused MODIFY_TABLE_PROPERTY of orders, commit seq 131: Unknown table property: [x] (statement: ALTER TABLE orders SET (x))")
}

// A statement that blocks the job stands in its events, with the answer to it.
func TestARefusedStatementIsAnEvent(t *testing.T) {
	b := newBench(t)
	const text = "fe:9030: Error 1105: errCode = 2, the table is in the middle of something (statement: ALTER TABLE `d`.`orders` ADD COLUMN `c` int NULL)"
	b.shift(0, job.StreamResult{End: job.EndBinlog, Binlog: &job.Binlog{CommitSeq: 131, Type: binlog.TypeModifyTableAddOrDropColumns}})
	once(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Problem: &job.Problem{Text: text, Kind: job.KindDB, CommitSeq: 131}}, nil
	})
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "error cannot go on: "+text)
}
