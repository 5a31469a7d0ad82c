package sqlclient

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Setting are session variables with their values.
type Setting map[string]string

// unicodeNames is the variable without which names are ASCII only (doris-sql.md
// 1.5).
const unicodeNames = "enable_unicode_name_support"

// neededBy are the variables that a statement needs by what stands in it: names
// beyond ASCII have one.
func neededBy(statement string) Setting {
	for _, name := range quotedName.FindAllString(statement, -1) {
		for _, r := range name {
			if r > '~' {
				return Setting{unicodeNames: "true"}
			}
		}
	}
	return nil
}

// quotedName finds identifiers. A string literal with backticks in it may seem to
// be one, which does no harm.
var quotedName = regexp.MustCompile("`(?:[^`]|``)+`")

// ExecWith is Exec in a session with variables set. The session ends with the
// statement. A variable that the server does not know is left out: an older one
// may do without. What the names in the statement need is set as well. A text that may be
// several statements is ErrSeveralStatements.
func (c *Client) ExecWith(ctx context.Context, set Setting, statement string) error {
	if err := CheckSingle(statement); err != nil {
		return err
	}
	if needed := neededBy(statement); needed != nil {
		maps.Copy(needed, set)
		set = needed
	}
	return c.run(ctx, statement, false, func(ctx context.Context, conn *sql.Conn) error {
		return within(ctx, conn, set, func() error {
			_, err := conn.ExecContext(ctx, statement)
			return err
		})
	})
}

// QueryWith is Query in a session with variables set, see ExecWith.
func (c *Client) QueryWith(ctx context.Context, set Setting, statement string) ([]Row, error) {
	var rows []Row
	err := c.run(ctx, statement, true, func(ctx context.Context, conn *sql.Conn) error {
		return within(ctx, conn, set, func() (err error) {
			rows, err = c.read(ctx, conn, statement)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

// QueryFunc runs a statement that only reads.
type QueryFunc func(ctx context.Context, statement string) ([]Row, error)

// Session runs work on one frontend, in one session with variables set, see
// ExecWith: what it reads is one frontend's view of things, in order. All of it may
// take as long as timeout, and is done again on the next frontend when the
// connection breaks.
func (c *Client) Session(ctx context.Context, set Setting, timeout time.Duration, work func(context.Context, QueryFunc) error) error {
	var own error // of work itself: no frontend has to do with it
	err := c.runFor(ctx, timeout, "a session", true, func(ctx context.Context, conn *sql.Conn) error {
		var refused error
		query := func(ctx context.Context, statement string) (rows []Row, err error) {
			if rows, err = c.read(ctx, conn, statement); err != nil {
				refused = fmt.Errorf("%s: %w", shorten(statement), err)
			}
			return rows, err
		}
		return within(ctx, conn, set, func() error {
			own = work(ctx, query)
			if refused != nil {
				return refused
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return own
}

// within does work on the connection with variables set. The connection is not
// used again: nobody else shall find them set.
func within(ctx context.Context, conn *sql.Conn, set Setting, work func() error) error {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		_, err := conn.ExecContext(ctx, fmt.Sprintf("SET %s = %s", name, settingText(set[name])))
		var refused *mysql.MySQLError
		switch {
		case errors.As(err, &refused) && strings.Contains(refused.Message, "Unknown system variable"):
		case errors.As(err, &refused):
			return fmt.Errorf("set the session variable %s: %w", name, err)
		case err != nil:
			return err
		}
	}
	err := work()
	if len(set) > 0 {
		// This error makes database/sql close the connection; it says nothing else.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return err
}

// settingText is a value as SET takes it: words and numbers are bare.
func settingText(value string) string {
	if plainSetting.MatchString(value) {
		return value
	}
	return QuoteString(value)
}

var plainSetting = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
