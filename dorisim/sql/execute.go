package sql

import (
	"context"
	"errors"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// statementFunc runs a statement whose first word has been consumed.
type statementFunc func(*session, context.Context, *cursor) (*sqltypes.Result, error)

// statements by first word; everything else is DDL.
func statementFor(word string) statementFunc {
	switch word {
	case "SELECT", "WITH":
		return (*session).selectStatement
	case "SHOW":
		return (*session).show
	case "DESC", "DESCRIBE":
		return (*session).describe
	case "EXPLAIN":
		return (*session).explain
	case "INSERT":
		return (*session).insert
	case "DELETE":
		return (*session).deleteRows
	case "UPDATE":
		return (*session).update
	case "BEGIN", "START":
		return (*session).begin
	case "COMMIT":
		return (*session).commit
	case "ROLLBACK":
		return (*session).rollback
	case "SET":
		return (*session).set
	case "USE":
		return (*session).useStatement
	case "UNSET", "KILL", "ANALYZE", "SWITCH", "WARM", "LOCK", "UNLOCK", "CLEAN":
		return (*session).ignore
	case "RESTORE":
		return (*session).restore
	case "REFRESH":
		return (*session).refresh
	}
	return nil
}

// execute runs one statement.
func (s *session) execute(ctx context.Context, text string) (*sqltypes.Result, error) {
	text = s.withTemporary(text)
	c, err := newCursor(text)
	if err != nil {
		return nil, asRefusal(err)
	}
	if c.end() {
		return done(), nil
	}
	if c.peek().IsSymbol("(") {
		return s.selectStatement(ctx, c)
	}
	s.warnings = 0
	first := strings.ToUpper(c.peek().Text)
	if run := statementFor(first); run != nil && c.peek().Kind == parser.Word {
		c.next()
		return run(s, ctx, c)
	}
	if c.keyword("ADMIN", "SHOW") {
		return s.show(ctx, c)
	}
	if c.keyword("SYNC") {
		return done(), c.finish()
	}
	if err := s.mayWrite(); err != nil {
		return nil, err
	}
	if result, ok, err := s.userStatement(ctx, c); ok {
		return result, err
	}
	if ok, err := s.workloadStatement(c); ok {
		return done(), err
	}
	if c.keyword("CREATE", "TEMPORARY", "TABLE") {
		return s.createTemporary(ctx, c)
	}
	defer s.forgetTemporary()
	return s.executeDDL(ctx, text)
}

// executeDDL runs what package parser knows.
func (s *session) executeDDL(ctx context.Context, text string) (*sqltypes.Result, error) {
	statement, err := parser.Parse(text)
	switch {
	case errors.Is(err, parser.ErrUnknownStatement):
		return nil, errSyntax(text)
	case err != nil:
		return nil, asRefusal(err)
	}
	if err := s.authorize(statement); err != nil {
		return nil, err
	}
	if as, ok := statement.(*parser.CreateTableAs); ok {
		return s.createAs(ctx, as)
	}
	return done(), s.executeStatement(ctx, statement)
}

// executeStatement runs a statement that has been authorized.
func (s *session) executeStatement(ctx context.Context, statement parser.Statement) error {
	return s.server.cfg.DDL.ExecAllowing(ctx, s.db, statement, parser.SessionFlags{
		AggState: s.flag("enable_agg_state"), Decimal256: s.flag("enable_decimal256"), UnicodeNames: s.flag("enable_unicode_name_support"),
	})
}

// asRefusal turns an error of the parser into one that clients see.
func asRefusal(err error) error {
	var refusal *core.Error
	if errors.As(err, &refusal) {
		return err
	}
	return core.Errorf("%s", err.Error())
}

// ignore accepts statements that have no effect in the simulator.
func (s *session) ignore(context.Context, *cursor) (*sqltypes.Result, error) { return done(), nil }

// restore refuses RESTORE SNAPSHOT: there are no repositories but the local one,
// which only the RPC may use (doris-sql.md 4.5).
func (s *session) restore(_ context.Context, c *cursor) (*sqltypes.Result, error) {
	database := s.db
	if c.keyword("SNAPSHOT") && c.peekAt(1).IsSymbol(".") {
		database = c.peek().Text
	}
	if err := s.need(core.LoadPriv, "LOAD", database, ""); err != nil {
		return nil, err
	}
	for !c.end() && !c.keyword("FROM") {
		c.next()
	}
	repository, err := c.ident()
	if err != nil {
		return nil, err
	}
	if repository == backup.LocalRepository {
		return nil, core.Errorf("restore from the local repo via SQL call is not supported")
	}
	return nil, core.Errorf("Repository %s does not exist", repository)
}

// refresh leaves REFRESH of anything but a materialized view without effect.
func (s *session) refresh(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	if !c.peek().Is("MATERIALIZED") {
		return done(), nil
	}
	return s.executeDDL(ctx, c.src)
}

func (s *session) useStatement(_ context.Context, c *cursor) (*sqltypes.Result, error) {
	catalogOrDB, name, err := c.name()
	if err != nil {
		return nil, err
	}
	_ = catalogOrDB // USE internal.db
	if err := c.finish(); err != nil {
		return nil, err
	}
	return done(), s.use(name)
}
