package cli

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

// shownEvents are the events that are to be shown.
type shownEvents struct {
	since time.Duration
	level string
	tail  int
}

// eventLevels are in the order of their weight.
var eventLevels = []string{"info", "warn", "error"}

func (c *connection) jobEvents() *cobra.Command {
	var (
		out output
		e   shownEvents
	)
	cmd := &cobra.Command{
		Use: "events name", Short: "Show what has happened to a job, oldest first",
		Long: `events shows the last hundred noteworthy things in the life of a job: commands and who sent
them, snapshots and why they began, what was passed over, errors and recoveries. With --watch it
prints those that come.`,
		Example: "  ccr job events sales --since 1h --level warn\n  ccr job events sales --watch",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: c.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.check(); err != nil {
				return err
			}
			if err := out.check(); err != nil {
				return err
			}
			asker, err := c.client()
			if err != nil {
				return err
			}
			if out.watch {
				return e.follow(cmd, c, asker, args[0], &out)
			}
			return out.show(cmd, func(ctx context.Context) (view, error) {
				found, err := e.find(ctx, c, asker, args[0])
				return viewOfEvents(found, true), err
			})
		},
	}
	out.bindWatch(cmd)
	cmd.Flags().DurationVar(&e.since, "since", 0, "only events of this long ago at most, e.g. 1h")
	cmd.Flags().StringVar(&e.level, "level", "info", "only events of this level or more: info, warn, error")
	cmd.Flags().IntVar(&e.tail, "tail", 0, "only the last so many; 0 for all")
	_ = cmd.RegisterFlagCompletionFunc("level", words(eventLevels...))
	return cmd
}

func (e *shownEvents) check() error {
	if !slices.Contains(eventLevels, e.level) {
		return usageErrorf("--level %q: it is one of %s", e.level, strings.Join(eventLevels, ", "))
	}
	return nil
}

// event is an event with its JSON.
type event struct {
	client.Event
	raw json.RawMessage
}

func (e *shownEvents) find(ctx context.Context, c *connection, asker *client.Client, name string) (found []event, err error) {
	all, err := asker.Events(ctx, name)
	if err != nil {
		return nil, err
	}
	var raw struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(all.JSON, &raw); err != nil {
		return nil, err
	}
	for i, one := range all.Value.Events {
		heavy := slices.Index(eventLevels, one.Level) >= slices.Index(eventLevels, e.level)
		if heavy && (e.since <= 0 || c.now().Sub(one.At) <= e.since) {
			found = append(found, event{one, raw.Events[i]})
		}
	}
	if extra := len(found) - e.tail; e.tail > 0 && extra > 0 {
		found = found[extra:]
	}
	return found, nil
}

func viewOfEvents(events []event, head bool) (v view) {
	raw := []json.RawMessage{}
	for _, e := range events {
		raw = append(raw, e.raw)
	}
	v.JSON, _ = json.Marshal(map[string]any{"events": raw}) // each of them was valid
	v.Table = func(w io.Writer, _ bool) {
		if head {
			rowOf(w, "TIME", "LEVEL", "TEXT")
		}
		for _, e := range events {
			rowOf(w, moment(e.At), e.Level, e.Text)
		}
	}
	return v
}

// follow prints the events that there are, and then those that come, as they come.
func (e *shownEvents) follow(cmd *cobra.Command, c *connection, asker *client.Client, name string, out *output) error {
	ctx, head := cmd.Context(), true
	var printed []event
	for {
		found, err := e.find(ctx, c, asker, name)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && (head || !passing(err)):
			return err
		case err == nil:
			fresh := slices.DeleteFunc(slices.Clone(found), func(one event) bool {
				return slices.ContainsFunc(printed, func(p event) bool { return p.At.Equal(one.At) && p.Text == one.Text })
			})
			if len(fresh) > 0 || head {
				if err := out.print(cmd.OutOrStdout(), viewOfEvents(fresh, head)); err != nil {
					return err
				}
			}
			printed, head = found, false
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(out.interval):
		}
	}
}
