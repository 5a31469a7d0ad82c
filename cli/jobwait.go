package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

// waitPoll is the pause between two looks.
const waitPoll = 500 * time.Millisecond

// condition is what wait waits for.
type condition struct {
	text string
	// met looks, and says how it is.
	met func(ctx context.Context, asker *client.Client, name string) (met bool, now string, err error)
	// gone: a job that does not exist meets it.
	gone bool
}

// passing tells whether an error may be over in a moment: a server that is started again,
// a failover of Temporal.
func passing(err error) bool {
	return errors.Is(err, client.ErrUnavailable)
}

var lagCondition = regexp.MustCompile(`^(lag|behind)(<=|<|=)(.+)$`)

const conditions = "incremental, running, paused, stalled, deleted, lag<N (binlogs), behind<TIME (e.g. behind<30s); <= and = may stand for <"

// parseCondition reads what --for says.
func parseCondition(text string) (condition, error) {
	c := condition{text: text}
	status := func(is func(*client.Status) bool) func(context.Context, *client.Client, string) (bool, string, error) {
		return func(ctx context.Context, asker *client.Client, name string) (bool, string, error) {
			s, err := asker.Status(ctx, name)
			if err != nil {
				return false, "", err
			}
			return is(&s.Value), stateText(&s.Value), nil
		}
	}
	state := func(word string) func(*client.Status) bool {
		return func(s *client.Status) bool { return s.StateWord() == word }
	}
	switch strings.ToLower(text) {
	case "incremental":
		c.met = status((*client.Status).Incremental)
	case "running", "paused", "stalled":
		c.met = status(state(strings.ToLower(text)))
	case "deleted":
		c.gone = true
		c.met = status(func(*client.Status) bool { return false })
	default:
		m := lagCondition.FindStringSubmatch(strings.ReplaceAll(strings.ToLower(text), " ", ""))
		if m == nil {
			return c, usageErrorf("--for %q: it is one of %s", text, conditions)
		}
		return c, c.lag(m[1], m[2], m[3])
	}
	return c, nil
}

// lag makes a condition on a fresh lag: "at most", "less than" or "exactly".
func (c *condition) lag(what, operator, bound string) error {
	most, err := strconv.ParseInt(bound, 10, 64)
	if what == "behind" {
		var d time.Duration
		d, err = time.ParseDuration(bound)
		most = int64(d / time.Second)
	}
	if err != nil || most < 0 {
		return usageErrorf("--for %q: %q is no number of binlogs (lag) or length of time (behind)", c.text, bound)
	}
	fits := map[string]func(int64) bool{
		"<":  func(n int64) bool { return n < most },
		"<=": func(n int64) bool { return n <= most },
		"=":  func(n int64) bool { return n == most },
	}[operator]
	c.met = func(ctx context.Context, asker *client.Client, name string) (bool, string, error) {
		l, err := asker.Lag(ctx, name)
		if err != nil {
			return false, "", err
		}
		value, late := l.Value.Lag, l.Value.TimeIntervalSecs
		if l.Value.BehindSecs != nil {
			late = *l.Value.BehindSecs
		}
		now := fmt.Sprintf("its lag is %d binlogs, %s", value, seconds(late))
		if what == "behind" {
			value = late
		}
		return fits(value), now, nil
	}
	return nil
}

func stateText(s *client.Status) string {
	text := fmt.Sprintf("it is %s, %s", s.StateWord(), s.ProgressState)
	if s.Stalled && s.LastError != nil {
		text += ": " + oneLine(s.LastError.Text)
		if s.LastError.Remedy != "" {
			text += " (" + oneLine(s.LastError.Remedy) + ")"
		}
	}
	return text
}

func (c *connection) jobWait() *cobra.Command {
	var (
		text    string
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use: "wait name...", Short: "Wait until something is so of jobs",
		Long: `wait returns when the condition is met by all jobs, or ends with status 4 when the time is
over. A server that does not answer for a while is asked again. Conditions:

  incremental   the full sync is over: the job follows binlogs, and no table has still to come
  running, paused, stalled
  lag<N         fewer binlogs than this are not consumed, in a lag that is two seconds old at most
  behind<TIME   the job is behind by less than this, e.g. behind<30s
  deleted       the name is free`,
		Example: "  ccr job wait sales --for incremental --timeout 30m\n  ccr job wait sales --for lag=0 && ccr job pause sales",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: c.completeJobs(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			if text == "" {
				return usageErrorf("--for is missing: %s", conditions)
			}
			until, err := parseCondition(text)
			if err != nil {
				return err
			}
			asker, err := c.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return each(args, func(name string) error {
				if err := until.await(ctx, asker, name, timeout); err != nil {
					return err
				}
				return say(cmd.OutOrStdout(), "job %s: %s", name, until.text)
			})
		},
	}
	cmd.Flags().StringVar(&text, "for", "", conditions)
	cmd.Flags().DurationVar(&timeout, "timeout", 5*time.Minute, "how long to wait, for all jobs together")
	_ = cmd.RegisterFlagCompletionFunc("for", words("incremental", "running", "paused", "stalled", "deleted", "lag=0", "lag<", "behind<"))
	return cmd
}

// await waits until a job meets the condition.
func (c *condition) await(ctx context.Context, asker *client.Client, name string, timeout time.Duration) error {
	last := "it has not answered"
	for {
		met, now, err := c.met(ctx, asker, name)
		switch {
		case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
			return notMetErrorf("job %s is not %s after %s: %s", name, c.text, timeout, last)
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, client.ErrNotFound) && c.gone:
			return nil
		case errors.Is(err, client.ErrNotFound), errors.Is(err, client.ErrUnauthorized):
			return err // that does not pass; a lag that is not known yet does
		case err != nil:
			last = err.Error()
		case met:
			return nil
		default:
			last = now
		}
		select {
		case <-ctx.Done():
		case <-time.After(waitPoll):
		}
	}
}
