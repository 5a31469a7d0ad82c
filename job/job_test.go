package job

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"

	"github.com/doris-ccr/ccr/doris/meta"
)

func validSpec() Spec {
	c := Cluster{Host: "fe1", Port: 9030, ThriftPort: 9020, User: "root", Database: "db_a"}
	return Spec{Name: "ccr_test", Source: c, Destination: c}
}

func TestValidateAnswersTheTextsThatScriptsLookFor(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Spec)
		want   string
	}{
		{"fine", func(*Spec) {}, ""},
		{"no name", func(s *Spec) { s.Name = "" }, "job is invalid: [normal] name is empty"},
		{"backtick", func(s *Spec) { s.Name = "a`b" }, "may only contain"},
		{"quote", func(s *Spec) { s.Name = `a"b` }, "may only contain"},
		{"unicode", func(s *Spec) { s.Name = "任务" }, "may only contain"},
		{"src host", func(s *Spec) { s.Source.Host = "" }, "job is invalid: src spec is invalid: [normal] host is empty"},
		{"src port", func(s *Spec) { s.Source.Port = 0 }, "job is invalid: src spec is invalid: [normal] port is invalid: "},
		{"dest thrift port", func(s *Spec) { s.Destination.ThriftPort = 70000 }, "job is invalid: dest spec is invalid: [normal] thrift_port is invalid: "},
		{"user", func(s *Spec) { s.Destination.User = "" }, "job is invalid: dest spec is invalid: [normal] user is empty"},
		{"database", func(s *Spec) { s.Source.Database = "" }, "job is invalid: src spec is invalid: [normal] database is empty"},
		{"half a table job", func(s *Spec) { s.Source.Table = "t" }, "job is invalid: [normal] src/dest are not both db or table sync"},
		{"commit order", func(s *Spec) { s.CommitOrder = "none" }, "commit_order"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := validSpec()
			tt.change(&s)
			err := s.Validate()
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestSealedIsMaskedInEveryTextForm(t *testing.T) {
	c := Cluster{Password: "ccr1:abc:def"}
	for _, text := range []string{fmt.Sprint(c.Password), fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c.Password, c.Password)} {
		require.NotContains(t, text, "ccr1:")
	}
}

func TestHostMappingMergesAndAnEmptyValueDeletes(t *testing.T) {
	c := Cluster{HostMapping: map[string]string{"a": "1", "b": "2"}}
	before := c.HostMapping
	c.MergeHostMapping(map[string]string{"a": "", "c": "3", "x": ""})
	require.Equal(t, map[string]string{"b": "2", "c": "3"}, c.HostMapping)
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, before, "the old map may be in use elsewhere")
	c.MergeHostMapping(map[string]string{"b": "", "c": ""})
	require.Nil(t, c.HostMapping)
}

// Public addresses that change are followed: by the frontends that the cluster
// told, and by the one that the job was created with.
func TestHostMappingMovesFrontends(t *testing.T) {
	c := Cluster{Host: "1.1.1.1", ThriftPort: 9020, HostMapping: map[string]string{"fe1": "1.1.1.1", "fe2": "1.1.1.2", "be1": "1.1.1.1"}, Frontends: []meta.Frontend{
		{Host: "1.1.1.1", ThriftPort: 9020, Private: "fe1"}, {Host: "1.1.1.2", ThriftPort: 9020, Private: "fe2"},
	}}
	told := c.Frontends
	c.MergeHostMapping(map[string]string{"be1": "2.2.2.9"})
	require.Equal(t, "1.1.1.1", c.Host, "a backend moves alone")
	c.MergeHostMapping(map[string]string{"fe1": "2.2.2.1", "fe2": ""})
	require.Equal(t, "2.2.2.1", c.Host)
	require.Equal(t, "2.2.2.1", c.Frontends[0].Host)
	require.Equal(t, "1.1.1.2", c.Frontends[1].Host, "nothing better is known")
	require.Equal(t, "1.1.1.1", told[0].Host, "the old list may be in use elsewhere")
	c.MergeHostMapping(map[string]string{"fe2": "2.2.2.2"})
	require.Equal(t, "2.2.2.2", c.Frontends[1].Host)

	direct := Cluster{Host: "10.0.0.1", ThriftPort: 9020, Frontends: []meta.Frontend{{Host: "10.0.0.1", ThriftPort: 9020}}}
	direct.MergeHostMapping(map[string]string{"10.0.0.1": "3.3.3.3"})
	require.Equal(t, "3.3.3.3", direct.Host)
	require.Equal(t, meta.Frontend{Host: "3.3.3.3", ThriftPort: 9020, Private: "10.0.0.1"}, direct.Frontends[0])
}

func TestNamesFitDorisLabels(t *testing.T) {
	long := strings.Repeat("n", MaxNameLength)
	a := Spec{Name: long + "a"[:0], UID: "0123456789abcdef"}
	for _, name := range []string{"ccr_test", "with.dot", long} {
		s := Spec{Name: name, UID: a.UID}
		snapshot := SnapshotName(&s, 1731405790, true, 12)
		label := RestoreLabel(snapshot, 99)
		require.LessOrEqual(t, len(label), 128)
		require.Regexp(t, `^[-_A-Za-z0-9:]{1,128}$`, label)
	}
	require.NotEqual(t, SnapshotPrefix("a.b", 1, false), SnapshotPrefix("a_b", 1, false), "two jobs must not share snapshots")
	require.Equal(t, "ccrs_ccr_test_1731405790", SnapshotPrefix("ccr_test", 1731405790, false))
	require.Equal(t, "ccrj-0123456789abcdef:7:10100:9001", TxnLabel(a.UID, 7, 10100, 9001))
}

func TestSettleIncremental(t *testing.T) {
	p := Progress{State: DBTablesIncrementalSync, Position: Position{CommitSeq: 10},
		Tables: map[int64]Table{1: {Name: "a", CommitSeq: 9}, 2: {Name: "b", CommitSeq: 11}}}
	require.False(t, p.SettleIncremental(), "table b is still ahead")
	p.Position.CommitSeq = 11
	require.True(t, p.SettleIncremental())
	require.Equal(t, DBIncrementalSync, p.State)
	require.Zero(t, p.Tables[2].CommitSeq)
	require.False(t, p.SettleIncremental())
}

func TestSkipBinlogNeverGuesses(t *testing.T) {
	silent := SkipBinlog{SkipBy: "Silence"}
	require.EqualError(t, silent.Normalize(), "[normal] invalid skip commit seq: 0: silence passes over the one binlog that skip_commit_seq names (last_commit_seq of job_progress); fullsync copies everything again")
	full := SkipBinlog{SkipBy: "FULLSYNC"}
	require.NoError(t, full.Normalize())
	require.Equal(t, SkipFullSync, full.SkipBy)
	other := SkipBinlog{SkipBy: "x"}
	require.EqualError(t, other.Normalize(), "[normal] invalid skip method: x: skip_by is silence, partialsync or fullsync")
	part := SkipBinlog{SkipBy: "partialsync"}
	require.ErrorContains(t, part.Normalize(), "invalid skip table")
}

func TestEventsAndOutcomesAreBounded(t *testing.T) {
	var p Progress
	for i := range MaxEvents + 10 {
		p.AddEvent(time.Unix(int64(i), 0), "info", "event %d", i)
		p.AddOutcome(Outcome{RequestID: fmt.Sprint(i)})
	}
	require.Len(t, p.Events, MaxEvents)
	require.Equal(t, fmt.Sprintf("event %d", MaxEvents+9), p.Events[MaxEvents-1].Text)
	require.Len(t, p.Outcomes, MaxOutcomes)
}

// The payload of a job with 10,000 tables must stay below Temporal's warning at
// 512 KiB once compressed; JSON of this shape shrinks about fourfold.
func TestProgressOfManyTablesIsCompact(t *testing.T) {
	p := Progress{Tables: map[int64]Table{}}
	for i := range int64(10_000) {
		p.Tables[1_000_000+i] = Table{DestID: 2_000_000 + i, Name: fmt.Sprintf("warehouse_table_%05d", i), CommitSeq: 3_000_000 + i}
	}
	b, err := json.Marshal(p)
	require.NoError(t, err)
	require.Less(t, len(b), 900<<10)
}

func TestCommandPayloadIsFlat(t *testing.T) {
	var c Command
	require.NoError(t, json.Unmarshal([]byte(`{"request_id":"r","skip_by":"silence","skip_commit_seq":1001,"src_host_mapping":{"a":"b"}}`), &c))
	require.Equal(t, int64(1001), c.SkipCommitSeq)
	require.Equal(t, map[string]string{"a": "b"}, c.Source)
}

// A binlog that was filed late is beyond the durable position, not the position.
func TestDeal(t *testing.T) {
	p := Progress{Position: Position{CommitSeq: 110}, Settling: Settling{Settled: 100, AppliedBeyond: []int64{106, 110}}}
	require.Equal(t, int64(100), p.Durable())
	require.True(t, p.Dealt(100))
	require.False(t, p.Dealt(104))
	p.Deal(104)
	p.Deal(104)
	require.Equal(t, []int64{104, 106, 110}, p.AppliedBeyond)
	require.Equal(t, int64(110), p.Position.CommitSeq)
	p.Deal(112)
	require.Equal(t, int64(112), p.Position.CommitSeq)
	require.True(t, p.Dealt(112))

	old := Progress{Position: Position{CommitSeq: 110}} // of before, or of a table
	require.Equal(t, int64(110), old.Durable())
	old.Deal(112)
	require.Equal(t, int64(112), old.Durable())
	require.Empty(t, old.AppliedBeyond)

	require.Zero(t, (&Progress{Position: Position{CommitSeq: 110}, Settling: Settling{Settled: -1}}).Durable())
}

// A table that is gone is a number in JSON, as jobs of older versions have it.
func TestGoneTableInJSON(t *testing.T) {
	gone := Table{DestID: 3, Name: "t", Gone: true}
	data, err := json.Marshal(map[int64]Table{1: gone, 2: {Name: "u", CommitSeq: 7}})
	require.NoError(t, err)
	require.JSONEq(t, `{"1":{"d":3,"n":"t","s":9223372036854775807},"2":{"n":"u","s":7}}`, string(data))
	var back map[int64]Table
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, map[int64]Table{1: gone, 2: {Name: "u", CommitSeq: 7}}, back)
	require.True(t, gone.Contains(1<<62))
	require.False(t, back[2].Contains(8))
}

// The JSON names are those of running jobs.
func TestUnconfirmedInJSON(t *testing.T) {
	const text = `{"settled":5,"ahead":[7],"met":{"commit_seq":9,"at":"2026-01-02T03:04:05Z"},"unheard":"2026-01-02T03:04:05Z","unheard_to":8,"unheard_epoch":2,` +
		`"pending_unknown":true,"unknown_seq":6,"doubt_until":"2026-01-02T03:04:05Z"}`
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var p Progress
	require.NoError(t, json.Unmarshal([]byte(text), &p))
	require.Equal(t, Settling{Settled: 5, AppliedBeyond: []int64{7}, Met: Met{CommitSeq: 9, At: at}}, p.Settling)
	require.Equal(t, Unconfirmed{Since: at, To: 8, Epoch: 2, Pending: true, CommitSeq: 6, ImportedUntil: at}, p.Unconfirmed)
	data, err := json.Marshal(&p)
	require.NoError(t, err)
	for name := range map[string]bool{"settled": true, "ahead": true, "met": true, "unheard": true, "unheard_to": true, "unheard_epoch": true, "pending_unknown": true, "unknown_seq": true, "doubt_until": true} {
		require.Contains(t, string(data), `"`+name+`":`)
	}
}

// The outcomes of many binlogs are compressed. The rest of a heartbeat is for people.
func TestOutcomesTravelBesideTheHeartbeat(t *testing.T) {
	b := Heartbeat{Note: "apply the second of two", Outcomes: []ApplyResult{{Done: true, Summary: "ADD PARTITION"}}}
	details := b.Details()
	require.Len(t, details, 2)
	require.Empty(t, details[0].(Heartbeat).Outcomes)
	require.NotEmpty(t, b.Outcomes)
	for _, sent := range []Heartbeat{b, {Note: "nothing yet"}} {
		dc := converter.GetDefaultDataConverter()
		payloads, err := dc.ToPayloads(sent.Details()...)
		require.NoError(t, err)
		read, err := ReadHeartbeat(func(into ...any) error { return dc.FromPayloads(payloads, into...) })
		require.NoError(t, err)
		require.Equal(t, sent, read)
		var first Heartbeat // whoever shows it reads the first alone
		require.NoError(t, dc.FromPayloads(payloads, &first))
		require.Equal(t, sent.Note, first.Note)
	}
}

// A hundred events have to find room in the state of a job.
func TestEventsAreBounded(t *testing.T) {
	var p Progress
	p.AddEvent(time.Time{}, "info", "applied %s", strings.Repeat("表", 1<<20))
	require.Less(t, len(p.Events[0].Text), 5<<10)
	require.True(t, utf8.ValidString(p.Events[0].Text))
	p.AddEvent(time.Time{}, "info", "applied %s", "DROP TABLE t")
	require.Equal(t, "applied DROP TABLE t", p.Events[1].Text)
}
