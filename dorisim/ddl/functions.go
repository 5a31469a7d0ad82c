package ddl

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

//go:embed builtins.txt
var builtinNames string

// builtins are the names of Doris' own functions, lower case.
var builtins = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(builtinNames) {
		names[name] = true
	}
	return names
})

// combinators make an aggregate function of another one: sum_state.
var combinators = []string{"_state", "_merge", "_union", "_foreach"}

// IsBuiltin tells whether Doris has a function of that name, in any case.
func IsBuiltin(name string) bool {
	name = strings.ToLower(name)
	if builtins()[name] {
		return true
	}
	for _, suffix := range combinators {
		if base, ok := strings.CutSuffix(name, suffix); ok && builtins()[base] {
			return true
		}
	}
	return false
}

// Function returns a user-defined function as seen from a database, global ones
// included.
func (e *Executor) Function(database, name string) (Object, bool) {
	e.objects.mu.Lock()
	defer e.objects.mu.Unlock()
	for _, o := range e.objects.list {
		if o.Kind == parser.FunctionObject && (o.Database == database || o.Database == "") && strings.EqualFold(o.Name, name) {
			o.Properties = maps.Clone(o.Properties)
			return o, true
		}
	}
	return Object{}, false
}

// HasFunctions tells whether there is any user-defined function.
func (e *Executor) HasFunctions() bool {
	e.objects.mu.Lock()
	defer e.objects.mu.Unlock()
	return slices.ContainsFunc(e.objects.list, func(o Object) bool { return o.Kind == parser.FunctionObject })
}

// UnknownFunction is Doris' refusal of a call of something that does not exist.
func UnknownFunction(name string) error { return core.Errorf("Can not found function '%s'", name) }

// notFunctions are words that a parenthesis follows without a call.
var notFunctions = []string{
	"ALL", "AND", "ANY", "AS", "BETWEEN", "BY", "CASE", "CUBE", "DISTINCT", "DIV", "ELSE", "EXCEPT", "EXISTS", "FROM", "HAVING",
	"IN", "INTERSECT", "IS", "JOIN", "LIKE", "LIMIT", "MATCH", "MATCH_ALL", "MATCH_ANY", "MATCH_PHRASE", "MINUS", "NOT", "OFFSET",
	"ON", "OR", "OVER", "PARTITION", "PARTITIONS", "QUALIFY", "REGEXP", "RLIKE", "ROLLUP", "SELECT", "SETS", "SOME", "TABLET",
	"TABLESAMPLE", "THEN", "UNION", "USING", "VALUES", "WHEN", "WHERE", "WITH", "XOR", "INTERVAL", "FILTER", "GROUP",
}

// checkFunctions refuses calls of functions that do not exist. It runs after
// qualifyTables, which has found the table functions.
func (d *definition) checkFunctions(known func(database, name string) bool) error {
	for i := 0; d.tokens[i].Kind != parser.EOF; i++ {
		if !isName(d.tokens[i]) {
			continue
		}
		parts, end := d.dotted(i)
		first := i
		i = end
		if !d.tokens[end+1].IsSymbol("(") || d.tableFunctions[first] || d.namesColumns(first) {
			continue
		}
		name, database := parts[len(parts)-1], ""
		if len(parts) > 1 {
			database = parts[len(parts)-2]
		} else if d.tokens[first].Kind == parser.Word && slices.ContainsFunc(notFunctions, d.tokens[first].Is) {
			continue
		}
		if !known(database, name) {
			return UnknownFunction(strings.Join(parts, "."))
		}
	}
	return nil
}

// namesColumns tells whether the name at token i is an alias with a list of
// columns, a WITH name, or the type of a CAST.
func (d *definition) namesColumns(i int) bool {
	if i > 0 && (d.tokens[i-1].IsSymbol(")") || d.tokens[i-1].Is("AS") || d.tokens[i-1].Is("REPLACE")) {
		return true
	}
	return d.ctes[strings.ToLower(d.tokens[i].Text)]
}

// checkResources refuses table functions over a resource that does not exist
// (doris-sql.md 2.12).
func (d *definition) checkResources(known func(string) bool) error {
	for i := range d.tableFunctions {
		for ; d.tokens[i].Kind != parser.EOF && !d.tokens[i].IsSymbol(")"); i++ {
			key, value := d.tokens[i], d.tokens[min(i+2, len(d.tokens)-1)]
			if key.Kind == parser.String && strings.EqualFold(key.Text, "resource") && d.tokens[i+1].IsSymbol("=") && !known(value.Text) {
				return missingResource(value.Text)
			}
		}
	}
	return nil
}
