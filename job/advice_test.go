package job

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdviceForEachState(t *testing.T) {
	trouble := &Problem{Text: "x", CommitSeq: 120}
	for want, s := range map[string]Status{
		"nothing: the job is running": {Running: true, Phase: PhaseStream},
		"nothing: the job ends":       {Running: true, Phase: PhaseDeleting, Problem: trouble},
		"resume lets it go on":        {Phase: PhaseStream},
		"resume tries again":          {Phase: PhaseApply, Problem: trouble},
		"see that workers run":        {Running: true, Phase: PhaseCheck, Problem: trouble},
		`"skip_commit_seq":120`:       {Running: true, Phase: PhaseApply, Problem: trouble},
		"both clusters are well":      {Running: true, Phase: PhaseTakeSnapshot, Problem: &Problem{Text: "x"}},
		"open the firewall":           {Running: true, Phase: PhaseStream, Problem: &Problem{Text: "x", Remedy: "open the firewall"}},
	} {
		require.Contains(t, s.Advice(), want)
	}
	require.Equal(t, "UPSERT at commit seq 120", trouble.Describe(119))
	require.Empty(t, trouble.Describe(120), "that one is applied")
}
