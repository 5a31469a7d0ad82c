package sql

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/ddl"
	"github.com/doris-ccr/ccr/dorisim/load"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// insert is INSERT INTO|OVERWRITE [TABLE] t [PARTITION (p)] [WITH LABEL l] [(columns)]
// VALUES ... | SELECT ...
func (s *session) insert(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	overwrite := c.keyword("OVERWRITE")
	if !overwrite && !c.keyword("INTO") {
		return nil, c.mismatch()
	}
	c.keyword("TABLE")
	database, name, err := c.name()
	if err != nil {
		return nil, err
	}
	t, err := s.target(database, name)
	if err != nil {
		return nil, err
	}
	head, err := insertHead(c)
	if err != nil {
		return nil, err
	}
	if overwrite {
		if err := s.mayOverwrite(head); err != nil {
			return nil, err
		}
	}
	touched := slices.Equal(head.partitions, []string{everyTouched})
	if touched && !overwrite {
		return nil, errSyntax("(*)")
	}
	if !touched {
		t.partitions = head.partitions
	}
	t.temporary = head.temporary
	t.addDeleteSign(head.columns)
	positions, err := t.insertColumns(head.columns)
	if err != nil {
		return nil, err
	}
	fromValues := c.keyword("VALUES") || c.keyword("VALUE")
	var given [][]types.Value
	if fromValues {
		given, err = s.values(ctx, c, t, positions, head.columns != nil)
	} else {
		given, err = s.selectedRows(ctx, c, t, positions, overwrite)
	}
	if err != nil {
		return nil, err
	}
	b, filtered, err := s.insertBatch(ctx, t, positions, head.columns != nil, given)
	if err != nil {
		return nil, err
	}
	s.warnings = uint16(min(filtered, math.MaxUint16))
	if err := takeDeleteSign(&b); err != nil {
		return nil, err
	}
	w := writeRequest{label: head.label, batch: b, values: fromValues}
	switch {
	case touched:
		if t.partitions, err = s.touchedPartitions(ctx, &w); err != nil {
			return nil, err
		}
	case overwrite && t.auto && head.partitions == nil && s.flag(createsPartitions):
		if _, err := s.touchedPartitions(ctx, &w); err != nil { // makes them
			return nil, err
		}
	}
	if overwrite {
		return s.overwrite(ctx, t, w)
	}
	return s.write(ctx, w)
}

// head is what stands between the table's name and the rows.
type head struct {
	columns, partitions []string
	temporary           bool
	label               string
}

func insertHead(c *cursor) (head, error) {
	var h head
	for {
		t := c.peek()
		var err error
		switch {
		case t.IsSymbol("(") && !c.peekAt(1).Is("SELECT") && !c.peekAt(1).Is("WITH") && h.columns == nil:
			h.columns, err = c.names()
		case t.Is("PARTITION"), t.Is("PARTITIONS"), t.Is("TEMPORARY"):
			h.partitions, h.temporary, err = c.partitions()
		case t.Is("WITH") && c.peekAt(1).Is("LABEL"):
			c.pos += 2
			h.label, err = c.ident()
		default:
			return h, nil
		}
		if err != nil {
			return h, err
		}
	}
}

// values reads VALUES (...), (...); () is a row of defaults where the statement
// names no columns.
func (s *session) values(ctx context.Context, c *cursor, t *target, positions []int, named bool) ([][]types.Value, error) {
	var rows [][]types.Value
	for {
		row, err := s.valuesRow(ctx, c, t, positions, named)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
		if !c.symbol(",") {
			return rows, c.finish()
		}
	}
}

func (s *session) valuesRow(ctx context.Context, c *cursor, t *target, positions []int, named bool) ([]types.Value, error) {
	if !c.symbol("(") {
		return nil, c.mismatch()
	}
	row := make([]types.Value, 0, len(positions))
	if c.symbol(")") {
		if named {
			return nil, core.Errorf("value list should not be empty if columns are specified")
		}
		for range positions {
			row = append(row, useDefault{})
		}
		return row, nil
	}
	for {
		if len(row) == len(positions) {
			return nil, errColumnCount()
		}
		v, err := s.value(ctx, c, t.columns[positions[len(row)]].Type)
		if err != nil {
			return nil, err
		}
		row = append(row, v)
		if !c.symbol(",") {
			break
		}
	}
	if !c.symbol(")") {
		return nil, c.mismatch()
	}
	if len(row) != len(positions) {
		return nil, errColumnCount()
	}
	for i, at := range positions {
		if _, isDefault := row[i].(useDefault); t.columns[at].Generated != "" && !isDefault {
			return nil, t.errGenerated(&t.columns[at])
		}
	}
	return row, nil
}

func errColumnCount() error { return core.Errorf("Column count doesn't match value count") }

// value reads one cell. Literals are taken as they are; anything else goes
// through the query engine.
func (s *session) value(ctx context.Context, c *cursor, t types.Type) (types.Value, error) {
	if after := c.peekAt(1); after.IsSymbol(",") || after.IsSymbol(")") {
		if v, ok := literalValue(c.peek()); ok {
			c.next()
			return v, nil
		}
	}
	if after := c.peekAt(2); (c.peek().IsSymbol("-") || c.peek().IsSymbol("+")) && c.peekAt(1).Kind == parser.Number && (after.IsSymbol(",") || after.IsSymbol(")")) {
		sign := c.next().Text
		return strings.TrimPrefix(sign, "+") + c.next().Text, nil
	}
	start := c.peek().Pos
	end := start
	for depth := 0; !c.end(); {
		next := c.peek()
		switch next.Text {
		case "(", "[", "{":
			depth += isSymbol(next)
		case ")", "]", "}", ",":
			if depth == 0 && next.Kind == parser.Symbol {
				return s.constant(ctx, c.src[start:end], t)
			}
			if next.Text != "," {
				depth -= isSymbol(next)
			}
		}
		end = c.next().End
	}
	return nil, c.mismatch()
}

func isSymbol(t parser.Token) int {
	if t.Kind == parser.Symbol {
		return 1
	}
	return 0
}

func literalValue(t parser.Token) (types.Value, bool) {
	switch t.Kind {
	case parser.String:
		return t.Text, true
	case parser.Number:
		if n, err := strconv.ParseInt(t.Text, 10, 64); err == nil {
			return n, true
		}
		return t.Text, true
	case parser.Word:
		switch strings.ToUpper(t.Text) {
		case "NULL":
			return nil, true
		case "DEFAULT":
			return useDefault{}, true
		case "TRUE":
			return int64(1), true
		case "FALSE":
			return int64(0), true
		}
	}
	return nil, false
}

// constant evaluates an expression without columns.
func (s *session) constant(ctx context.Context, expression string, t types.Type) (types.Value, error) {
	switch {
	case expression == "":
		return nil, errSyntax(")")
	case t.Kind == types.Struct:
		return structConstant(expression, t), nil
	case opaque(t.Kind), t.Kind == types.JSON && strings.HasPrefix(expression, "["):
		return expression, nil
	}
	c, err := newCursor("SELECT " + expression)
	if err != nil {
		return nil, asRefusal(err)
	}
	result, err := s.query(ctx, c, relations{session: s, objects: true})
	if err != nil && t.Kind == types.AggState {
		return expression, nil // a state of a function that the simulator does not know
	}
	if err != nil {
		return nil, err
	}
	if len(result.Rows) != 1 || len(result.Rows[0]) != 1 {
		return nil, errSyntax(expression)
	}
	return cellValue(result.Rows[0][0]), nil
}

// selectedRows runs the SELECT of an INSERT ... SELECT. It has no values for
// generated columns; that of INSERT OVERWRITE has some that do not count.
func (s *session) selectedRows(ctx context.Context, c *cursor, t *target, positions []int, overwrite bool) ([][]types.Value, error) {
	if next := c.peek(); !next.Is("SELECT") && !next.Is("WITH") && !next.IsSymbol("(") {
		return nil, c.mismatch()
	}
	generated := func(at int) bool { return t.columns[at].Generated != "" }
	if at := slices.IndexFunc(positions, generated); at >= 0 && !overwrite {
		return nil, t.errGenerated(&t.columns[positions[at]])
	}
	result, err := s.query(ctx, c, relations{session: s, objects: true})
	if err != nil {
		return nil, err
	}
	if len(result.Fields) != len(positions) {
		return nil, core.Errorf("insert into cols should be corresponding to the query output")
	}
	rows := make([][]types.Value, len(result.Rows))
	for i, cells := range result.Rows {
		rows[i] = make([]types.Value, len(cells))
		for j, cell := range cells {
			rows[i][j] = cellValue(cell)
			if generated(positions[j]) {
				rows[i][j] = useDefault{}
			}
		}
	}
	return rows, nil
}

// insertBatch completes the rows, or keeps to the named columns for a partial
// update.
func (s *session) insertBatch(ctx context.Context, t *target, positions []int, named bool, given [][]types.Value) (load.Batch, int, error) {
	if !named || t.keys != types.UniqueKeys || !s.flag("enable_unique_key_partial_update") {
		rows, filtered, err := s.rows(ctx, t, positions, given)
		return t.batch(rows), filtered, err
	}
	part := *t
	part.columns, part.sequenceFrom = nil, -1
	for i := range t.columns {
		if t.columns[i].Key && !slices.Contains(positions, i) {
			return load.Batch{}, 0, core.Errorf("Partial update should include all key columns, missing: %s", t.columns[i].Name)
		}
		if t.columns[i].Generated == "" {
			continue
		}
		for _, name := range ddl.GeneratedFrom(&types.Schema{Columns: t.columns}, &t.columns[i]) {
			if at := t.columnIndex(name); t.columns[at].Generated == "" && !slices.Contains(positions, at) {
				return load.Batch{}, 0, core.Errorf("Partial update should include all ordinary columns referenced by generated columns, missing: %s", name)
			}
		}
	}
	local := make([]int, len(positions))
	for i, at := range positions {
		part.columns = append(part.columns, t.columns[at])
		local[i] = i
	}
	for i := range t.columns {
		if t.columns[i].Generated != "" && !slices.Contains(positions, i) {
			part.columns = append(part.columns, t.columns[i])
		}
	}
	rows, filtered, err := s.rows(ctx, &part, local, given)
	b := part.batch(rows)
	b.Partial = true
	return b, filtered, err
}

// writeRequest is one DML statement's share of a transaction.
type writeRequest struct {
	label  string
	batch  load.Batch
	values bool // rows came from VALUES
}

// write loads the batch, or keeps it for COMMIT.
func (s *session) write(ctx context.Context, w writeRequest) (*sqltypes.Result, error) {
	if s.txn != nil {
		return s.txn.add(ctx, s, w)
	}
	if len(w.batch.Rows) == 0 && w.batch.Predicate == nil {
		return &sqltypes.Result{}, nil
	}
	if w.label == "" {
		w.label = newLabel()
	}
	out, err := s.server.loader.Load(ctx, s.loadOptions(w.label), w.batch)
	if err != nil {
		return nil, err
	}
	return loaded(out, len(w.batch.Rows)), nil
}

func (s *session) loadOptions(label string) load.Options {
	o := load.Options{Label: label, Wait: 10 * time.Second, Timeout: 4 * time.Hour}
	if v, ok := s.variable("insert_visible_timeout_ms"); ok {
		if ms, err := strconv.Atoi(v); err == nil {
			o.Wait = time.Duration(max(ms, 1000)) * time.Millisecond
		}
	}
	if v, ok := s.variable("insert_timeout"); ok {
		if seconds, err := strconv.Atoi(v); err == nil && seconds > 0 {
			o.Timeout = time.Duration(seconds) * time.Second
		}
	}
	if self, ok := s.server.core.Frontend(s.server.cfg.Frontend); ok {
		o.Coordinator = core.Coordinator{Host: self.Host}
	}
	return o
}

// loaded is the OK packet of a load; its info text is what the mysql client
// prints.
func loaded(out load.Outcome, rows int) *sqltypes.Result {
	return &sqltypes.Result{
		RowsAffected: uint64(rows),
		Info:         fmt.Sprintf("{'label':'%s', 'status':'%s', 'txnId':'%d'}", out.Label, out.Status(), out.TxnID),
	}
}

// newLabel is a label as Doris makes it from a query id.
func newLabel() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	text := hex.EncodeToString(id[:])
	return "label_" + text[:16] + "_" + text[16:]
}
