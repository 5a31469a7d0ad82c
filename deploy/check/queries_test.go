package check

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// usedMetrics is what the end-to-end tests look for in a live /metrics: the
// metrics of all queries, with the labels that the queries rely on.
const usedMetrics = "../prometheus/used-metrics.json"

// ruleQueries are the expressions of the alerts, by name.
func ruleQueries(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../prometheus/rules.yml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert  string
				Expr   string
				Labels map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(b, &file))
	queries := map[string]string{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			require.NotContains(t, queries, r.Alert)
			require.Contains(t, []string{"warning", "critical"}, r.Labels["severity"], r.Alert)
			queries[r.Alert] = r.Expr
		}
	}
	return queries
}

// dashboardQueries are the expressions of the dashboard's panels, by title.
func dashboardQueries(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../grafana/ccr.json")
	require.NoError(t, err)
	var board struct {
		UID    string
		Panels []struct {
			Title   string
			Targets []struct{ RefID, Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(b, &board))
	require.Equal(t, "ccr", board.UID)
	// What Grafana puts in.
	fill := strings.NewReplacer("$__rate_interval", "5m", "$name", ".*")
	queries := map[string]string{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			queries[p.Title+" "+target.RefID] = fill.Replace(target.Expr)
		}
	}
	require.NotEmpty(t, queries)
	return queries
}

// labelsOf collects the metrics of an expression, each with the labels that its
// matchers and the groupings above it name.
func labelsOf(t *testing.T, query string) map[string]map[string]bool {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	require.NoError(t, err, query)
	found := map[string]map[string]bool{}
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		if found[selector.Name] == nil {
			found[selector.Name] = map[string]bool{}
		}
		for _, m := range selector.LabelMatchers {
			if m.Name != labels.MetricName {
				found[selector.Name][m.Name] = true
			}
		}
		for _, above := range path {
			if aggregate, ok := above.(*parser.AggregateExpr); ok && !aggregate.Without {
				for _, name := range aggregate.Grouping {
					found[selector.Name][name] = true
				}
			}
		}
		return nil
	})
	return found
}

// The metrics that alerts and dashboard use are those of used-metrics.json, which
// an end-to-end test compares with what processes really serve. UPDATE=1 writes
// the file.
func TestQueries(t *testing.T) {
	used := map[string]map[string]bool{}
	for _, queries := range []map[string]string{ruleQueries(t), dashboardQueries(t)} {
		for _, query := range queries {
			for metric, names := range labelsOf(t, query) {
				if used[metric] == nil {
					used[metric] = map[string]bool{}
				}
				maps.Copy(used[metric], names)
			}
		}
	}
	list := map[string][]string{}
	for metric, names := range used {
		delete(names, "job") // Prometheus adds these two
		delete(names, "instance")
		if metric != "up" {
			list[metric] = append([]string{}, slices.Sorted(maps.Keys(names))...)
		}
	}
	b, err := json.MarshalIndent(list, "", "  ")
	require.NoError(t, err)
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(usedMetrics, append(b, '\n'), 0o644))
	}
	want, err := os.ReadFile(usedMetrics)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(b), "run with UPDATE=1")
}
