package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// docs/simulator.md has every flag, with its default and what --help says of it.
func TestFlagsAreDocumented(t *testing.T) {
	t.Setenv("DORISIM_ROOT_PASSWORD", "")
	b, err := os.ReadFile("../../../docs/simulator.md")
	require.NoError(t, err)
	documented := strings.Count(string(b), "\n| `--")
	command().Flags().VisitAll(func(f *pflag.Flag) {
		value := ""
		if f.DefValue != "" {
			value = "`" + f.DefValue + "`"
		}
		require.Contains(t, string(b), fmt.Sprintf("\n| `--%s` | %s | %s |\n", f.Name, value, f.Usage))
		documented--
	})
	require.Zero(t, documented, "flags that there are not")
}
