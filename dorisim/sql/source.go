package sql

import (
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/parser"
)

// A part of a table is reached by a name that no table can have: the table's and,
// behind marks, what is read of it.
const (
	indexMark     = "\x01index\x01"
	partitionMark = "\x01partitions\x01" // names joined by ,
	temporaryMark = "\x01temporary\x01"
	tabletMark    = "\x01tablets\x01" // ids joined by ,
)

// fromClause is a table of FROM: name [INDEX i] [[TEMPORARY] PARTITION (p, ...)]
// [TABLET (id, ...)].
type fromClause struct {
	table, index string
	partitions   []string
	temporary    bool
	tablets      []int64 // nil: all
}

// name is how the query engine calls it.
func (f fromClause) name() string {
	name := f.table
	if f.index != "" {
		name += indexMark + f.index
	}
	if f.partitions != nil {
		mark := partitionMark
		if f.temporary {
			mark = temporaryMark
		}
		name += mark + strings.Join(f.partitions, ",")
	}
	if f.tablets != nil {
		ids := make([]string, len(f.tablets))
		for i, id := range f.tablets {
			ids[i] = strconv.FormatInt(id, 10)
		}
		name += tabletMark + strings.Join(ids, ",")
	}
	return name
}

// fromName undoes name.
func fromName(name string) fromClause {
	name, tablets, some := strings.Cut(name, tabletMark)
	var f fromClause
	if some {
		f.tablets = []int64{}
		for text := range strings.SplitSeq(tablets, ",") {
			id, _ := strconv.ParseInt(text, 10, 64) // of name
			f.tablets = append(f.tablets, id)
		}
	}
	for _, mark := range []string{partitionMark, temporaryMark} {
		before, names, found := strings.Cut(name, mark)
		if found {
			name, f.partitions, f.temporary = before, strings.Split(names, ","), mark == temporaryMark
		}
	}
	f.table, f.index, _ = strings.Cut(name, indexMark)
	return f
}

// tablets consumes TABLET (id, ...) if it comes next.
func (c *cursor) tablets() ([]int64, error) {
	if !c.peek().Is("TABLET") || !c.peekAt(1).IsSymbol("(") {
		return nil, nil
	}
	c.pos += 2
	list := []int64{}
	for {
		id, err := strconv.ParseInt(c.peek().Text, 10, 64)
		if err != nil || c.peek().Kind != parser.Number {
			return nil, c.mismatch()
		}
		c.next()
		list = append(list, id)
		if !c.symbol(",") {
			break
		}
	}
	if !c.symbol(")") {
		return nil, c.mismatch()
	}
	return list, nil
}

// isPartOfTable tells whether the part of a table that is read comes next.
func (r *rewriter) isPartOfTable() bool {
	next := r.c.peekAt(1)
	isName := next.Kind == parser.QuotedIdent || next.Kind == parser.Word
	switch t := r.c.peek(); {
	case t.Is("TEMPORARY"):
		return next.Is("PARTITION") || next.Is("PARTITIONS")
	case t.Is("PARTITION"), t.Is("PARTITIONS"): // and not that of a window
		return (next.IsSymbol("(") || isName && !next.Is("BY")) && r.afterTable()
	case t.Is("TABLET"):
		return next.IsSymbol("(") && r.afterTable()
	case t.Is("INDEX"):
		before := r.beforeName()
		return isName && before >= 0 && !r.c.tokens[before].IsSymbol(",") && r.afterTable() // index may be an alias
	}
	return false
}

// afterTable tells whether a table's name of FROM or JOIN has just been copied.
func (r *rewriter) afterTable() bool { return r.isFrom(r.beforeName()) }

// beforeName is the token before the qualified name that has just been copied, -1
// if there is none.
func (r *rewriter) beforeName() int {
	i := r.c.pos - 1
	for i >= 2 && r.c.tokens[i-1].IsSymbol(".") {
		i -= 2
	}
	return i - 1
}

// partOfTable turns a table and what is read of it into a relation of its own
// name.
func (r *rewriter) partOfTable() error {
	c := r.c
	from := fromClause{table: c.tokens[c.pos-1].Text}
	var err error
	if c.keyword("INDEX") {
		if from.index, err = c.ident(); err != nil {
			return err
		}
	}
	if from.partitions, from.temporary, err = c.partitions(); err != nil {
		return err
	}
	if from.tablets, err = c.tablets(); err != nil {
		return err
	}
	text := r.out.String()[:r.taken]
	r.out.Reset()
	r.out.WriteString(text + quoteName(from.name()))
	if t := c.peek(); !t.Is("AS") && !r.aliasFollows() {
		r.out.WriteString(" AS " + quoteName(from.table))
	}
	r.last = c.tokens[c.pos-1].End
	return nil
}

// aliasFollows tells whether the next token is an alias without AS.
func (r *rewriter) aliasFollows() bool {
	t := r.c.peek()
	if t.Kind == parser.QuotedIdent {
		return true
	}
	if t.Kind != parser.Word {
		return false
	}
	switch strings.ToUpper(t.Text) {
	case "WHERE", "ORDER", "GROUP", "LIMIT", "HAVING", "JOIN", "LEFT", "RIGHT", "INNER", "CROSS", "ON", "UNION":
		return false
	}
	return true
}
