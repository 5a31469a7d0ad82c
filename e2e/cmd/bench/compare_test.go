package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// small is a comparison that takes seconds.
func small() *comparison {
	return &comparison{
		rounds: 2, tables: 6, many: 4, transactions: 20, rate: 100, jobs: 2,
		latency: 100 * time.Millisecond, idle: 20 * time.Millisecond,
	}
}

// TestTwoContenders are put through all steps, in alternating order, and nothing of them
// is left.
func TestTwoContenders(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var order []string
	var result table
	first, second := fakeContender("first", ""), fakeContender("second", "")
	require.NoError(t, small().measureAll(context.Background(), contenders{first, second}, &result, func(_ int, name string, _ time.Duration) {
		order = append(order, name)
	}))
	require.Equal(t, []string{"first", "second", "second", "first"}, order)
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	require.NoError(t, err)
	require.Empty(t, left, "directories of contenders")

	var text bytes.Buffer
	require.NoError(t, result.writeJSON(&text))
	var figures []figure
	require.NoError(t, json.Unmarshal(text.Bytes(), &figures))
	names := map[string]figure{}
	for _, f := range figures {
		names[f.Name] = f
		require.Len(t, f.Contenders, 2, f.Name)
		for _, c := range f.Contenders {
			require.Len(t, c.Values, 2, f.Name)
		}
	}
	for _, name := range []string{
		"full sync of 6 tables", "latency p50 at 100 transactions a second", "catch-up of one table", "catch-up of 4 tables",
		"memory after the catch-up of 4 tables", "3 idle jobs, statements", "3 idle jobs, memory",
	} {
		require.Contains(t, names, name)
		require.Positive(t, names[name].Contenders[1].Ratio, name)
	}
	require.Zero(t, names["catch-up of one table, calls a transaction"].Contenders[0].Median, "the fake makes no Thrift calls")
}

// TestAContenderThatFails is told of by its step and by the end of its log.
func TestAContenderThatFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, c := range []struct {
		name, step, log string
		contender       contender
	}{
		{"ends at once", "start", "famous last words", contender{name: "broken", command: "echo famous last words; exit 3"}},
		{"makes no job", "full sync", "refusing create_ccr", fakeContender("broken", "create_ccr")},
		{"does not pause", "catch-up", "refusing pause", fakeContender("broken", "pause")},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := small().measureAll(context.Background(), contenders{c.contender}, &table{}, func(int, string, time.Duration) {})
			require.ErrorContains(t, err, "contender broken: "+c.step+": ")
			require.ErrorContains(t, err, c.log)
		})
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "*"))
	require.NoError(t, err)
	require.Empty(t, left, "directories of contenders")
}

// TestChosenSteps are made, and the first one with them.
func TestChosenSteps(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c := small()
	require.Error(t, c.steps.Set("full sync,naps"))
	c.steps = nil
	require.NoError(t, c.steps.Set("latency"))
	var result table
	c.rounds = 1
	require.NoError(t, c.measureAll(context.Background(), contenders{fakeContender("one", "")}, &result, func(int, string, time.Duration) {}))
	var names []string
	for _, f := range result.figures {
		names = append(names, f.Name)
	}
	require.Contains(t, names, "full sync of 6 tables")
	require.Contains(t, names, "latency p50 at 100 transactions a second")
	require.NotContains(t, names, "catch-up of one table")
	require.NotContains(t, names, "3 idle jobs")
}

func TestContenderFlag(t *testing.T) {
	var c contenders
	require.NoError(t, c.Set("name=old,command=/path/ccr_syncer -host {host} -port {port} -db_dir {dir}/a,b"))
	require.Equal(t, contenders{{name: "old", command: "/path/ccr_syncer -host {host} -port {port} -db_dir {dir}/a,b"}}, c)
	for _, wrong := range []string{"", "old", "name=new", "command=x {port}", "name=,command=x {port}", "name=new,command=", "name=new,command=x", "name=old,command=x {port}"} {
		require.Error(t, c.Set(wrong), wrong)
	}
}

func TestTableOfFigures(t *testing.T) {
	var result table
	for round, values := range [][2]float64{{40, 800}, {60, 1000}} {
		for i, name := range []string{"ccr", "old"} {
			if round == 1 { // the other way round
				i, name = 1-i, []string{"old", "ccr"}[i]
			}
			result.add("latency", "ms", name, values[i])
			result.add("calls", "", name, float64(i))
		}
	}
	var text bytes.Buffer
	require.NoError(t, result.write(&text))
	require.Equal(t, "|  | ccr | old | old / ccr |\n| --- | ---: | ---: | ---: |\n| latency | 50 ms | 900 ms | 18 |\n| calls | 0 | 1 | – |\n", text.String())
}
