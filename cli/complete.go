package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeTimeout bounds the wait for names: somebody has pressed a key.
const completeTimeout = 2 * time.Second

const noFiles = cobra.ShellCompDirectiveNoFileComp

type completer = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// completeJobs completes the names of jobs, as many as a command takes (0: any number).
// A server that does not answer in time has no names.
func (c *connection) completeJobs(most int) completer {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, noFiles
		}
		names := c.jobNames(cmd.Context())
		return slices.DeleteFunc(names, func(name string) bool {
			return !strings.HasPrefix(name, begun) || slices.Contains(args, name)
		}), noFiles
	}
}

func (c *connection) jobNames(ctx context.Context) (names []string) {
	asker, err := c.client()
	if err != nil {
		cobra.CompDebugln(err.Error(), false)
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	if names, err = asker.JobNames(ctx); err != nil {
		cobra.CompDebugln(err.Error(), false)
		return nil
	}
	return names
}

// completeTables completes the tables of the job that the first argument names.
func (c *connection) completeTables(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return c.completeJobs(1)(cmd, args, begun)
	case 1:
	default:
		return nil, noFiles
	}
	asker, err := c.client()
	if err != nil {
		return nil, noFiles
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	p, err := asker.Progress(ctx, args[0])
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for _, name := range p.Value.TableNameMapping {
		if strings.HasPrefix(name, begun) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, noFiles
}

func (c *connection) completeContexts(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	all, err := loadContexts(c.environ)
	if err != nil {
		return nil, noFiles
	}
	names := slices.Sorted(maps.Keys(all.Contexts))
	return slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, begun) }), noFiles
}

// words completes one of some words.
func words(list ...string) completer {
	return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return slices.DeleteFunc(slices.Clone(list), func(w string) bool { return !strings.HasPrefix(w, begun) }), noFiles
	}
}
