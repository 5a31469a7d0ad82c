package conformance

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// recordedShow is an entry of shows.real.json.
type recordedShow struct {
	Name   string          `json:"name"`
	SQL    string          `json:"sql"`
	Answer json.RawMessage `json:"answer"`
}

// showReplay plays the statements in a database d4.
type showReplay struct {
	*side
	*alignment
	addr string
}

// TestRecordingsShows makes the recorded tables and compares what every SHOW,
// DESC and PROC statement says of them.
func TestRecordingsShows(t *testing.T) {
	c, s := recordedCluster(t)
	atRecordedTime(c)
	r := &showReplay{side: s, alignment: newAlignment(), addr: c.FE(0).MySQLAddr()}
	for _, name := range []string{"d1", "d2", "d3", "d4"} {
		r.exec("CREATE DATABASE %s", name)
	}
	r.exec(`CREATE TABLE d2.a (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ("replication_num" = "1")`)
	r.exec(`ALTER DATABASE d4 SET PROPERTIES ("binlog.enable" = "true")`)
	r.exec("USE d4")
	score := newScore(t, "shows.real.json")
	for i, entry := range readRecording[[]recordedShow](t, "shows.real.json") {
		recorded, err := decode(entry.Answer)
		require.NoError(t, err)
		score.add(fmt.Sprintf("%d %s", i, entry.Name), r.play(entry, recorded))
	}
	score.finish()
}

func (r *showReplay) play(entry recordedShow, recorded any) []string {
	r.t.Helper()
	s, statement := r.side, entry.SQL
	switch {
	case strings.HasPrefix(entry.Name, "connect as "):
		s, statement = r.as("nobody", ""), "SELECT 1"
	case strings.HasPrefix(entry.Name, "as u1: "):
		s, statement = r.as("u1", "pw"), strings.TrimPrefix(entry.Name, "as u1: ")
	}
	if strings.Contains(fmt.Sprint(recorded), "RpcException") { // the recorded backend could run no query plans (doris-sql.md 9)
		return nil
	}
	got := s.answerOfSQL(r.withIDs(statement))
	return r.differences("answer", "", ownNames(statement, foreign(statement, recorded)), ownNames(statement, foreign(statement, got)))
}

// as is another account's session.
func (r *showReplay) as(name, password string) *side {
	r.t.Helper()
	return &side{t: r.t, db: openAs(r.t, r.addr, name, password)}
}

// pathIDs are ids in a statement.
var pathIDs = regexp.MustCompile(`\b\d{5,}\b`)

// withIDs puts the simulator's ids in the place of the recorded ones.
func (r *showReplay) withIDs(statement string) string {
	return pathIDs.ReplaceAllStringFunc(statement, func(text string) string {
		id, err := json.Number(text).Int64()
		require.NoError(r.t, err)
		return fmt.Sprint(r.simulated(id))
	})
}

// foreign takes out of an answer what does not come from this recording: other
// databases, other sessions, tables that were dropped before.
func foreign(statement string, answer any) any {
	object, ok := answer.(map[string]any)
	if !ok || object["rows"] == nil {
		return answer
	}
	keep := func([]any) bool { return true }
	switch {
	case statement == "SHOW DATABASES", strings.HasPrefix(statement, "show proc '/dbs"):
		keep = func(row []any) bool {
			return !slices.ContainsFunc(row, func(cell any) bool { return slices.Contains([]any{"d1", "d2", "d3", "s1", "s2", "dx"}, cell) })
		}
	case statement == "SHOW PROCESSLIST":
		keep = func(row []any) bool { return row[0] == "Yes" }
	case statement == "SHOW CATALOG RECYCLE BIN":
		keep = func([]any) bool { return false }
	}
	rows := []any{}
	for _, row := range object["rows"].([]any) {
		if keep(row.([]any)) {
			rows = append(rows, row)
		}
	}
	return map[string]any{"columns": object["columns"], "rows": rows}
}

// ownNames blanks what names a node of its cluster, and the times in the state of
// backends.
func ownNames(statement string, answer any) any {
	object, ok := answer.(map[string]any)
	if !ok || object["rows"] == nil || !strings.Contains(strings.ToLower(statement), "frontends") && !strings.Contains(strings.ToLower(statement), "backends") {
		return answer
	}
	columns, ok := object["columns"].([]any)
	if !ok {
		return answer
	}
	for _, row := range object["rows"].([]any) {
		cells := row.([]any)
		for i, column := range columns {
			switch text := fmt.Sprint(cells[i]); column {
			case "Name", "Version":
				cells[i] = "<own>"
			case "Status":
				cells[i] = momentInText.ReplaceAllString(text, "<time>")
			}
		}
	}
	return answer
}

var momentInText = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)
