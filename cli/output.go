package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"
)

// The forms of output.
const (
	formTable = "table"
	formWide  = "wide"
	formJSON  = "json"
	formYAML  = "yaml"
	formName  = "name"
)

// output is how a command prints, and whether it goes on printing.
type output struct {
	form     string
	forms    []string
	watch    bool
	interval time.Duration
}

// view is an answer to be printed.
type view struct {
	// JSON is the answer as the API has sent it.
	JSON json.RawMessage
	// Table prints it for people.
	Table func(w io.Writer, wide bool)
	// Names are what the form "name" prints.
	Names []string
}

// bindOutput adds -o to a command. further forms come after the usual ones.
func (o *output) bind(cmd *cobra.Command, further ...string) {
	o.forms = append([]string{formTable, formWide, formJSON, formYAML}, further...)
	cmd.Flags().StringVarP(&o.form, "output", "o", formTable, strings.Join(o.forms, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", words(o.forms...)) // the flag exists
}

// bindWatch adds --watch, too.
func (o *output) bindWatch(cmd *cobra.Command, further ...string) {
	o.bind(cmd, further...)
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "go on, and print again what has changed, until Ctrl-C")
	cmd.Flags().DurationVar(&o.interval, "interval", 2*time.Second, "with --watch: how often to ask")
}

// check refuses a form that does not exist before anything is asked.
func (o *output) check() error {
	for _, form := range o.forms {
		if o.form == form {
			return nil
		}
	}
	return usageErrorf("--output %q: it is one of %s", o.form, strings.Join(o.forms, ", "))
}

// show prints what find has found, once, or again and again.
func (o *output) show(cmd *cobra.Command, find func(context.Context) (view, error)) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.watch {
		return o.follow(cmd, find)
	}
	v, err := find(cmd.Context())
	if v.JSON == nil && v.Table == nil { // with an error there may be a part of the answer
		return err
	}
	return errors.Join(o.print(cmd.OutOrStdout(), v), err)
}

// follow prints again what has changed. On a terminal it writes over what was there; a
// pipe gets one line of JSON, or one document of YAML, for each change.
func (o *output) follow(cmd *cobra.Command, find func(context.Context) (view, error)) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	screen := isTerminal(out)
	last := ""
	for {
		v, err := find(ctx)
		if ctx.Err() != nil {
			return nil // Ctrl-C is how it ends
		}
		var text bytes.Buffer
		switch {
		case err != nil:
			if last == "" || !passing(err) {
				return err // the first answer tells of mistakes
			}
			fmt.Fprintf(&text, "%v\n", told(err))
		case o.form == formJSON && !screen:
			if err := json.Compact(&text, v.JSON); err != nil {
				return fmt.Errorf("print the answer: %w", err)
			}
			text.WriteString("\n")
			safe := escaped(text.Bytes())
			text.Reset()
			text.Write(safe)
		default:
			if o.form == formYAML {
				text.WriteString("---\n")
			}
			if err := o.print(&text, v); err != nil {
				return err
			}
		}
		if now := text.String(); now != last {
			if err := reprint(out, now, screen, last == "", o.form); err != nil {
				return err
			}
			last = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(o.interval):
		}
	}
}

// clearScreen moves to the first line of a terminal and clears all.
const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

func reprint(out io.Writer, text string, screen, first bool, form string) error {
	switch {
	case screen:
		if _, err := io.WriteString(terminalOf(out), clearScreen); err != nil {
			return err
		}
	case !first && form != formJSON && form != formYAML:
		text = "\n" + text
	}
	_, err := io.WriteString(out, text)
	return err
}

func isTerminal(stream any) bool {
	if p, ok := stream.(printable); ok {
		stream = p.File
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalOf is where the orders go that are our own.
func terminalOf(out io.Writer) io.Writer {
	if p, ok := out.(printable); ok {
		return p.File
	}
	return out
}

func (o *output) print(w io.Writer, v view) error {
	switch o.form {
	case formJSON:
		var text bytes.Buffer
		if err := json.Indent(&text, v.JSON, "", "  "); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
		text.WriteString("\n")
		_, err := w.Write(escaped(text.Bytes()))
		return err
	case formYAML:
		return printYAML(w, v.JSON)
	case formName:
		for _, name := range v.Names {
			if _, err := fmt.Fprintln(w, name); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	v.Table(t, o.form == formWide)
	return t.Flush()
}

// printYAML prints JSON as YAML, with its keys in their order.
func printYAML(w io.Writer, raw json.RawMessage) error {
	var node yaml.Node
	if err := yaml.Unmarshal(raw, &node); err != nil { // JSON is YAML
		return fmt.Errorf("print the answer: %w", err)
	}
	unfold(&node)
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(&node); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return encoder.Close()
}

// unfold takes the style of JSON off a document.
func unfold(n *yaml.Node) {
	n.Style = 0
	for _, inner := range n.Content {
		unfold(inner)
	}
}

// list makes one JSON array of several answers; a single one stays as it is.
func list(answers []json.RawMessage) json.RawMessage {
	if len(answers) == 1 {
		return answers[0]
	}
	b, err := json.Marshal(answers)
	if err != nil {
		return json.RawMessage("[]") // cannot be: each of them was valid
	}
	return b
}
