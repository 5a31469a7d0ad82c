package check

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/stretchr/testify/require"
)

// The dashboard keeps to Grafana's schema, which Grafana generates these types from:
// it knows every key, of the dashboard, its panels and their queries, and nothing is
// missing or of another type.
func TestDashboardKeepsToGrafanasSchema(t *testing.T) {
	known := cog.NewRuntime()
	known.RegisterPanelcfgVariant(stat.VariantConfig())
	known.RegisterPanelcfgVariant(table.VariantConfig())
	known.RegisterPanelcfgVariant(timeseries.VariantConfig())
	known.RegisterDataqueryVariant(prometheus.VariantConfig())
	text, err := os.ReadFile("../grafana/ccr.json")
	require.NoError(t, err)
	strict := func(text []byte) error {
		var board dashboard.Dashboard
		// A list of no errors, which is what the library returns if all is right.
		if err := board.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
			return err
		}
		return board.Validate()
	}
	require.NoError(t, strict(text))

	// What would be noticed.
	panel := func(board object, n int) object { return at(t, board, "panels", n).(object) }
	for name, spoil := range map[string]func(board object){
		"a misspelt key of the dashboard": func(b object) { b["refesh"] = "5s" },
		"a misspelt key of a panel":       func(b object) { panel(b, 1)["tittle"] = "x" },
		"a misspelt option":               func(b object) { at(t, panel(b, 1), "options").(object)["colourMode"] = "none" },
		"a number for a text":             func(b object) { b["title"] = 7 },
		"a misspelt key of a query":       func(b object) { at(t, panel(b, 1), "targets", 0).(object)["exprr"] = "up" },
	} {
		var board object
		require.NoError(t, json.Unmarshal(text, &board))
		spoil(board)
		spoiled, err := json.Marshal(board)
		require.NoError(t, err)
		require.Error(t, strict(spoiled), name)
	}
}

// Panels have places of their own, and queries go to the data source that the
// provisioning makes.
func TestDashboardPanels(t *testing.T) {
	text, err := os.ReadFile("../grafana/ccr.json")
	require.NoError(t, err)
	type rect struct{ X, Y, W, H int }
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos rect
		}
	}
	require.NoError(t, json.Unmarshal(text, &board))
	ids := map[int]string{}
	for i, p := range board.Panels {
		require.NotContains(t, ids, p.ID, "%s and %s have one id", p.Title, ids[p.ID])
		ids[p.ID] = p.Title
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for _, q := range board.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			apart := a.X+a.W <= b.X || b.X+b.W <= a.X || a.Y+a.H <= b.Y || b.Y+b.H <= a.Y
			require.True(t, apart, "%s and %s lie over each other", p.Title, q.Title)
		}
	}
}
