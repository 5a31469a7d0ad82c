package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/dorisim"
)

// recordedStep is an entry of scenario.real.json: a statement, what it answered,
// the jobs once its own had ended, and the binlogs that it made.
type recordedStep struct {
	Name    string          `json:"name"`
	SQL     string          `json:"sql"`
	Answer  json.RawMessage `json:"answer"`
	Wait    json.RawMessage `json:"wait"`
	Binlogs json.RawMessage `json:"binlogs"`
}

// recordedNow is the clock of the recorded frontend: partitions of today have
// its dates.
var recordedNow = time.Date(2026, 11, 29, 21, 5, 0, 0, time.UTC)

// atRecordedTime sets a cluster's clock to the recording's.
func atRecordedTime(c *dorisim.Cluster) { c.AdvanceClock(recordedNow.Sub(c.Core().Now())) }

// recordedLoads are the INSERTs that stand for the recorder's stream loads: they
// write into the same partitions.
var recordedLoads = map[string]string{
	"load dup":         `INSERT INTO t_dup VALUES (1, "a", 1, NULL), (2, "b", 2, NULL), (11, "c", 3, NULL)`,
	"load dup p1 only": `INSERT INTO t_dup VALUES (3, "d", 4, NULL)`,
	"load mow":         `INSERT INTO t_mow VALUES (1, "2024-01-01", 1.5, "x")`,
	"load list":        `INSERT INTO t_list VALUES ("a", 1, true), ("c", 2, false)`,
	"load agg":         `INSERT INTO t_agg VALUES (1, 2, 3, 4, "r", 5)`,
	"load idx":         `INSERT INTO t_idx VALUES (1, "some text", "msg")`,
	"load temp":        `INSERT INTO t_dup TEMPORARY PARTITION (tp1) VALUES (5, "t", 6, NULL)`,
	"load mow again":   `INSERT INTO t_mow VALUES (2, "2024-01-02", 2.5, "y")`,
	"load with rollup": `INSERT INTO t_dup VALUES (6, 7, "u", NULL)`,
}

// scenarioReplay plays the steps in a database d1.
type scenarioReplay struct {
	*side
	*alignment
	read int64 // commit seq of the last binlog that was compared
}

// TestRecordingsScenario plays every recorded step of DDL and loads and compares
// answers, jobs and binlogs; where nothing was recorded there may be no binlog.
func TestRecordingsScenario(t *testing.T) {
	// How long the recorded frontend gave a job.
	c, s := recordedCluster(t, func(c *dorisim.Config) { c.FEConfig["alter_table_timeout_second"] = "3600" })
	atRecordedTime(c)
	r := &scenarioReplay{side: s, alignment: newAlignment(), read: -1}
	r.exec("CREATE DATABASE d1")
	r.exec("USE d1")
	score := newScore(t, "scenario.real.json")
	for i, step := range readRecording[[]recordedStep](t, "scenario.real.json") {
		score.add(fmt.Sprintf("%d %s", i, step.Name), r.play(step))
	}
	score.finish()
}

func (r *scenarioReplay) play(step recordedStep) []string {
	r.t.Helper()
	statement := step.SQL
	if strings.HasPrefix(statement, "load ") {
		statement = recordedLoads[step.Name]
		require.NotEmpty(r.t, statement, step.Name)
	}
	found := r.differences("answer", "", r.decoded(step.Answer), r.answerOfSQL(statement))
	if wait := r.decoded(step.Wait); wait != nil {
		found = append(found, r.differences("wait", "", wait, r.jobs(wait.([]any)))...)
	}
	return append(found, r.binlogsOf(step)...)
}

func (r *scenarioReplay) decoded(text json.RawMessage) any {
	r.t.Helper()
	if len(text) == 0 {
		return nil
	}
	v, err := decode(text)
	require.NoError(r.t, err)
	return v
}

// jobs waits until no job of the kind that was recorded is running any more, and
// lists them.
func (r *scenarioReplay) jobs(recorded []any) any {
	r.t.Helper()
	row, ok := recorded[0].(map[string]any)
	require.True(r.t, ok)
	show := "SHOW ALTER TABLE COLUMN"
	if row["RollupId"] != nil {
		show = "SHOW ALTER TABLE ROLLUP"
	} else if row["AlterInvertedIndexes"] != nil {
		show = "SHOW BUILD INDEX"
	}
	var rows []any
	require.Eventually(r.t, func() bool {
		rows = rowsOf(r.answerOfSQL(show + " FROM d1"))
		return !slices.ContainsFunc(rows, func(v any) bool { return v.(map[string]any)["State"] != "FINISHED" })
	}, patience, time.Millisecond, "%s does not finish", show)
	return rows
}

// binlogsOf compares the binlogs since the step before. What should not be there
// is seen at the latest with the step after.
func (r *scenarioReplay) binlogsOf(step recordedStep) []string {
	r.t.Helper()
	recorded := r.decoded(step.Binlogs).([]any)
	got := []any{}
	deadline := time.Now().Add(2 * time.Second)
	for {
		for _, b := range r.since(r.read) {
			entry := map[string]any{
				"commit_seq": jsonNumber(b.GetCommitSeq()), "timestamp": jsonNumber(b.GetTimestamp()), "type": jsonNumber(int64(b.GetType())), "db_id": jsonNumber(b.GetDbID()),
				"table_ref": jsonNumber(b.GetTableRef()), "remove_enable_cache": b.GetRemoveEnableCache(),
			}
			if b.TableIds != nil {
				ids := []any{}
				for _, id := range b.TableIds {
					ids = append(ids, jsonNumber(id))
				}
				entry["table_ids"] = ids
			}
			data, err := decode([]byte(b.GetData()))
			require.NoError(r.t, err)
			entry["data"] = data
			got, r.read = append(got, entry), b.GetCommitSeq()
		}
		if len(got) >= len(recorded) || time.Now().After(deadline) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return r.differences("binlogs", "", recorded, got)
}

// since are the binlogs after a commit seq; the recorded frontend gives one a
// call.
func (r *scenarioReplay) since(prev int64) []*frontendservice.TBinlog {
	r.t.Helper()
	var all []*frontendservice.TBinlog
	for {
		result, err := r.fe.GetBinlog(ctx, &frontendservice.TGetBinlogRequest{User: new("root"), Passwd: new(""), Db: new("d1"), PrevCommitSeq: &prev})
		require.NoError(r.t, err)
		if len(result.Binlogs) == 0 {
			return all
		}
		requireOK(r.t, result.Status)
		all = append(all, result.Binlogs...)
		prev = result.Binlogs[len(result.Binlogs)-1].GetCommitSeq()
	}
}

func jsonNumber(n int64) json.Number { return json.Number(fmt.Sprint(n)) }
