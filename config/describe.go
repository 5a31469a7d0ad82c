package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/doris-ccr/ccr/job"
)

// helpWidth is the width of help texts: they fit a terminal of 80 columns.
const helpWidth = 78

// Help returns the settings of flags for --help, by group, with the names of
// their environment variables.
func Help(flags *pflag.FlagSet) string {
	var b strings.Builder
	defaults := Default()
	for _, g := range allGroups {
		first := true
		for _, s := range settings() {
			if s.group != g || s.compat || (!s.secret && flags.Lookup(s.name) == nil) {
				continue
			}
			if s.secret && flags.Lookup(s.name+"-file") == nil {
				continue
			}
			if first {
				fmt.Fprintf(&b, "%s:\n", g)
				first = false
			}
			v := s.bind(&defaults)
			head := "--" + s.name + " " + v.Type()
			if s.secret {
				head = "(no flag: use the variable)"
			} else if v.Type() == "bool" {
				head = "--" + s.name
			}
			fmt.Fprintf(&b, "  %-46s %s\n", head, s.env())
			usage := s.usage
			if d := v.String(); d != "" && v.Type() != "bool" && s.name != "port" {
				usage += " Default: " + d + "."
			}
			b.WriteString(wrap(usage, "      ", helpWidth))
		}
		if !first {
			b.WriteString("\n")
		}
	}
	return b.String()
}

// wrap breaks words into lines of at most width bytes.
func wrap(words, indent string, width int) string {
	var b strings.Builder
	line := ""
	for _, w := range strings.Fields(words) {
		if line != "" && len(indent)+len(line)+1+len(w) > width {
			b.WriteString(indent + line + "\n")
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	if line != "" {
		b.WriteString(indent + line + "\n")
	}
	return b.String()
}

// Markdown returns the reference of all settings for docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	defaults := Default()
	for _, g := range allGroups {
		fmt.Fprintf(&b, "## %s\n\n| Flag | Environment | Default | Meaning |\n|---|---|---|---|\n", g)
		for _, s := range settings() {
			if s.group != g {
				continue
			}
			flag := "`--" + s.name + "`"
			if s.secret {
				flag = "none (key `" + s.name + "` of the file)"
			}
			for _, a := range s.aliases {
				flag += ", `--" + a + "`"
			}
			value := ""
			if v := s.bind(&defaults); v.String() != "" && s.name != "port" {
				value = "`" + v.String() + "`"
			}
			fmt.Fprintf(&b, "| %s | `%s` | %s | %s |\n", flag, s.env(), value, s.usage)
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// Effective returns the settings of the groups as a commented YAML file: every
// value with where it came from. Secrets are masked.
func (c Config) Effective(groups ...Group) string {
	var b strings.Builder
	for _, g := range allGroups {
		if !slices.Contains(groups, g) {
			continue
		}
		fmt.Fprintf(&b, "# %s\n", g)
		for _, s := range settings() {
			if s.group != g || s.compat || s.name == "port" {
				continue
			}
			origin := c.origins[s.name]
			if origin == "" {
				origin = "default"
			}
			value := s.bind(&c).String()
			if s.secret && value != "" {
				value = job.Mask
			}
			fmt.Fprintf(&b, "%s: %s  # %s\n", s.name, yamlScalar(value), origin)
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// yamlScalar quotes what YAML would not read back as the same text.
func yamlScalar(v string) string {
	if v == "" || strings.ContainsAny(v, ":#{}[],&*!|>'\"%@` \\") {
		return fmt.Sprintf("%q", v)
	}
	return v
}
