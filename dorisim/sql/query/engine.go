// Package query evaluates SELECT statements over relations that the caller
// provides: tables of the simulated cluster, views, and results of SHOW
// statements. The evaluation itself is go-mysql-server's.
//
// It must be built with CGO_ENABLED=0 and -tags gms_pure_go.
package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// Relation is something that can stand in FROM.
type Relation struct {
	Name string
	// Columns are the visible columns of Rows, in order.
	Columns []types.Column
	// Rows returns the rows; it is called when the statement is executed.
	Rows func(ctx context.Context) ([]types.Row, error)
	// Create is the CREATE VIEW statement, in MySQL's dialect, of a view; a view
	// has no Rows and View is its SELECT.
	Create string
	View   string
}

// Catalog finds relations by name. Names are case sensitive (doris-sql.md 1.5).
type Catalog interface {
	// HasDatabase tells whether a database exists.
	HasDatabase(name string) bool
	// Relation returns the table or view, or nil if there is none.
	Relation(ctx context.Context, database, name string) (*Relation, error)
}

// Errors that callers translate into Doris' texts.
var (
	ErrUnknownTable    = errors.New("table not found")
	ErrUnknownColumn   = errors.New("column not found")
	ErrUnknownDatabase = errors.New("database not found")
	ErrUnknownFunction = errors.New("function not found")
	ErrSyntax          = errors.New("syntax error")
)

// Error is a failed statement. Kind is one of the errors above, or nil; Name is
// what was not found.
type Error struct {
	Kind error
	Name string
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap lets errors.Is find the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// Engine evaluates statements. It has no state of its own and is safe for
// concurrent use.
type Engine struct{ gms *sqle.Engine }

// NewEngine returns an engine.
func NewEngine() *Engine {
	a := analyzer.NewDefault(provider{})
	// information_schema is a relation like any other: the caller's.
	a.Catalog.InfoSchema = database{name: "information_schema"}
	return &Engine{gms: sqle.New(a, nil)}
}

// Run evaluates a SELECT in MySQL's dialect with current as default database.
func (e *Engine) Run(ctx context.Context, catalog Catalog, current, text string) (*sqltypes.Result, error) {
	base := sql.NewBaseSession()
	base.SetCurrentDatabase(current)
	qctx := sql.NewContext(ctx, sql.WithSession(&session{BaseSession: base, catalog: catalog}))

	schema, rows, _, err := e.gms.Query(qctx, text)
	if err != nil {
		return nil, translate(err)
	}
	shows, ok := catalog.(ShowsObjects)
	showObjects := ok && shows.ShowsObjects()
	result := &sqltypes.Result{Fields: fields(schema)}
	for {
		row, err := rows.Next(qctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, errors.Join(translate(err), rows.Close(qctx))
		}
		cells, err := encodeRow(qctx, schema, row, showObjects)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("encode a result row: %w", err), rows.Close(qctx))
		}
		result.Rows = append(result.Rows, cells)
	}
	if err := rows.Close(qctx); err != nil {
		return nil, translate(err)
	}
	result.RowsAffected = uint64(len(result.Rows))
	return result, nil
}

// quotedName finds what the engine names in its errors: quoted, or at the end.
var quotedName = regexp.MustCompile(`"([^"]*)"|: (\S+)$|function: '([^']*)'`)

func translate(err error) error {
	kind := error(nil)
	switch {
	case sql.ErrTableNotFound.Is(err):
		kind = ErrUnknownTable
	case sql.ErrColumnNotFound.Is(err), sql.ErrTableColumnNotFound.Is(err):
		kind = ErrUnknownColumn
	case sql.ErrDatabaseNotFound.Is(err):
		kind = ErrUnknownDatabase
	case sql.ErrFunctionNotFound.Is(err):
		kind = ErrUnknownFunction
	case sql.ErrSyntaxError.Is(err):
		kind = ErrSyntax
	}
	name := ""
	if all := quotedName.FindAllStringSubmatch(err.Error(), -1); len(all) > 0 {
		last := all[len(all)-1]
		if sql.ErrColumnNotFound.Is(err) {
			last = all[0]
		}
		name = strings.TrimSuffix(last[1]+last[2]+last[3], ",")
	}
	return &Error{Kind: kind, Name: name, Err: err}
}

// fields describes the result columns; org_name equals name because Connector/J
// reads the former (doris-sql.md 1.2).
func fields(schema sql.Schema) []*querypb.Field {
	out := make([]*querypb.Field, len(schema))
	for i, c := range schema {
		t := fieldType(c.Type)
		charset := uint32(33) // utf8_general_ci
		if !sqltypes.IsQuoted(t) {
			charset = 63 // binary
		}
		out[i] = &querypb.Field{Name: c.Name, OrgName: c.Name, Type: t, Charset: charset, ColumnLength: 255}
	}
	return out
}
