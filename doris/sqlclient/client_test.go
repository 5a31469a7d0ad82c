package sqlclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/sqlclient"
)

func always(r reply) func(string) reply { return func(string) reply { return r } }

// nobody is an address on which nothing listens.
func nobody(t *testing.T) sqlclient.Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().(*net.TCPAddr)
	require.NoError(t, l.Close())
	return sqlclient.Endpoint{Host: addr.IP.String(), Port: addr.Port}
}

func TestQuery(t *testing.T) {
	f := startFrontend(t, always(table([]string{"Name", "State"}, []any{"a", nil}, []any{"b", strings.Repeat("x", 300)})))
	rows, err := newClient(t, sqlclient.Config{}, f).Query(t.Context(), "SHOW X")
	require.NoError(t, err)
	require.Equal(t, []sqlclient.Row{{"Name": "a"}, {"Name": "b", "State": strings.Repeat("x", 300)}}, rows)
	require.True(t, rows[0].Null("state"))
	require.False(t, rows[1].Null("STATE"))
	require.Equal(t, "a", rows[0].Get("name"))
	require.Equal(t, []string{"SHOW X"}, f.seen(), "no other statement is sent")
}

func TestRowConversions(t *testing.T) {
	row := sqlclient.Row{"id": "9223372036854775807", "bad": "x", "yes": "Yes", "one": "1", "no": "false"}
	require.EqualValues(t, int64(9223372036854775807), row.Int("ID"))
	require.Zero(t, row.Int("bad"))
	require.Zero(t, row.Int("missing"))
	require.True(t, row.Bool("yes"))
	require.True(t, row.Bool("one"))
	require.False(t, row.Bool("no"))
}

func TestRefusal(t *testing.T) {
	f := startFrontend(t, always(refuse(1105, "errCode = 2, detailMessage = Unknown table 't'")))
	err := newClient(t, sqlclient.Config{}, f).Exec(t.Context(), "DROP TABLE `d`.`t`")
	var refusal *sqlclient.Error
	require.ErrorAs(t, err, &refusal)
	require.EqualValues(t, 1105, refusal.Code)
	require.Equal(t, "errCode = 2, detailMessage = Unknown table 't'", refusal.Message)
	require.Equal(t, "DROP TABLE `d`.`t`", refusal.Statement)
	require.ErrorContains(t, err, "DROP TABLE `d`.`t`")
	require.ErrorIs(t, err, sqlclient.ErrUnknownTable)
	require.NotErrorIs(t, err, sqlclient.ErrUnknownDatabase)
	var driverError *mysql.MySQLError
	require.ErrorAs(t, err, &driverError)
}

func TestSentinels(t *testing.T) {
	tests := []struct {
		code uint16
		text string
		want error
	}{
		{1049, "Unknown database 'd'", sqlclient.ErrUnknownDatabase},
		{1051, "Unknown table 't'", sqlclient.ErrUnknownTable},
		{1105, "errCode = 2, detailMessage = Unknown partition p in tablet", sqlclient.ErrUnknownPartition},
		{1054, "Unknown column 'c' in 't'", sqlclient.ErrUnknownColumn},
		{1347, "'d.v' is not TABLE. Use 'DROP VIEW d.v'.", sqlclient.ErrNotTable},
		{1050, "Table 't' already exists", sqlclient.ErrAlreadyExists},
		{1105, "transaction with id 7 does not exist", sqlclient.ErrNotExist},
		{1105, "Can only run one backup or restore job of a database at same time , current running: x", sqlclient.ErrJobRunning},
		{1105, "No backup job is currently running", sqlclient.ErrNoJob},
		{1105, "No restore is currently running", sqlclient.ErrNoJob},
		{5064, "Failed to cancel job: Job with label s1 can not be cancelled. state: FINISHED", sqlclient.ErrNoJob},
		{1045, "Access denied for user 'u' (using password: YES)", sqlclient.ErrAccessDenied},
	}
	for _, tt := range tests {
		f := startFrontend(t, always(refuse(tt.code, tt.text)))
		err := newClient(t, sqlclient.Config{}, f).Exec(t.Context(), "X")
		for _, other := range tests {
			require.Equal(t, other.want == tt.want, errors.Is(err, other.want), "%q is %v", tt.text, other.want)
		}
	}
}

func TestAccessDeniedAtConnect(t *testing.T) {
	f := startFrontend(t, always(reply{}))
	f.denied = true
	other := startFrontend(t, always(reply{}))
	err := newClient(t, sqlclient.Config{}, f, other).Exec(t.Context(), "X")
	require.ErrorIs(t, err, sqlclient.ErrAccessDenied)
	require.NotContains(t, err.Error(), "topsecret")
	require.Empty(t, other.seen(), "a wrong password is wrong everywhere")
}

func TestFailover(t *testing.T) {
	f := startFrontend(t, always(reply{}))
	c := newClient(t, sqlclient.Config{Frontends: []sqlclient.Endpoint{nobody(t)}}, f)
	require.NoError(t, c.Exec(t.Context(), "CREATE X"))
	require.Equal(t, []string{"CREATE X"}, f.seen())
}

// The master is asked first, whoever answered before. One that is down is not
// tried again with every statement.
func TestMasterFirst(t *testing.T) {
	a, b := startFrontend(t, always(reply{})), startFrontend(t, always(reply{}))
	dead := nobody(t)
	var master sqlclient.Endpoint
	var asked []string
	c := newClient(t, sqlclient.Config{
		Frontends: []sqlclient.Endpoint{a.endpoint, b.endpoint, dead},
		Master:    func() sqlclient.Endpoint { return master },
		Observe:   func(_, _ string, _ time.Duration, err error) { asked = append(asked, fmt.Sprint(err == nil)) },
	})
	require.NoError(t, c.Exec(t.Context(), "1"))
	master = b.endpoint
	require.NoError(t, c.Exec(t.Context(), "2"))
	master = dead
	require.NoError(t, c.Exec(t.Context(), "3"))
	require.NoError(t, c.Exec(t.Context(), "4"))
	master = b.endpoint
	require.NoError(t, c.Exec(t.Context(), "5"))
	require.Equal(t, []string{"1", "3", "4"}, a.seen())
	require.Equal(t, []string{"2", "5"}, b.seen())
	require.Equal(t, []string{"true", "true", "false", "true", "true", "true"}, asked)
}

func TestNobodyReachable(t *testing.T) {
	err := newClient(t, sqlclient.Config{Frontends: []sqlclient.Endpoint{nobody(t)}}).Exec(t.Context(), "X")
	var lost *sqlclient.NetworkError
	require.ErrorAs(t, err, &lost)
	require.False(t, lost.Sent)
	require.ErrorContains(t, err, "connection refused")
}

func TestLostAnswer(t *testing.T) {
	f, other := startFrontend(t, always(reply{drop: true})), startFrontend(t, always(table([]string{"a"}, []any{"1"})))
	c := newClient(t, sqlclient.Config{}, f, other)
	err := c.Exec(t.Context(), "DROP X")
	var lost *sqlclient.NetworkError
	require.ErrorAs(t, err, &lost)
	require.True(t, lost.Sent, "it may have been executed")
	require.Len(t, f.seen(), 1)
	require.Empty(t, other.seen(), "what may have been executed is not repeated")

	rows, err := c.Query(t.Context(), "SHOW X")
	require.NoError(t, err, "a read is")
	require.Len(t, rows, 1)
}

// A follower that cannot reach the master answers with the text of its own
// network error.
func TestNetworkErrorOfTheServer(t *testing.T) {
	f := startFrontend(t, always(refuse(1105, "errCode = 2, detailMessage = java.net.ConnectException: connection refused")))
	other := startFrontend(t, always(table([]string{"a"}, []any{"1"})))
	_, err := newClient(t, sqlclient.Config{}, f, other).Query(t.Context(), "SHOW X")
	require.NoError(t, err)
	var lost *sqlclient.NetworkError
	require.ErrorAs(t, newClient(t, sqlclient.Config{}, f).Exec(t.Context(), "X"), &lost)
	require.True(t, lost.Sent)
}

func TestServerRestart(t *testing.T) {
	f := startFrontend(t, always(reply{}))
	c := newClient(t, sqlclient.Config{}, f)
	require.NoError(t, c.Exec(t.Context(), "ONE"))
	f.disconnect()
	// Whether the client has heard of it yet or not: never executed twice.
	require.Eventually(t, func() bool { return c.Exec(t.Context(), "TWO") == nil }, 10*time.Second, time.Millisecond)
	require.Equal(t, []string{"ONE", "TWO"}, f.seen())
}

func TestCancel(t *testing.T) {
	f := startFrontend(t, always(reply{hang: true}))
	c := newClient(t, sqlclient.Config{}, f)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- c.Exec(ctx, "X") }()
	require.Eventually(t, func() bool { return len(f.seen()) == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	err := <-result
	require.ErrorIs(t, err, context.Canceled)
	var lost *sqlclient.NetworkError
	require.ErrorAs(t, err, &lost)
	require.True(t, lost.Sent)
}

func TestStatementTimeout(t *testing.T) {
	f := startFrontend(t, always(reply{hang: true}))
	err := newClient(t, sqlclient.Config{StatementTimeout: 20 * time.Millisecond}, f).Exec(t.Context(), "X")
	require.ErrorContains(t, err, "no answer in 20ms")
	require.NotErrorIs(t, err, context.DeadlineExceeded, "not the caller's deadline")
}

func TestFrontendThatHangsInTheHandshake(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	addr := l.Addr().(*net.TCPAddr)
	f := startFrontend(t, always(reply{}))
	c := newClient(t, sqlclient.Config{ConnectTimeout: 50 * time.Millisecond,
		Frontends: []sqlclient.Endpoint{{Host: addr.IP.String(), Port: addr.Port}}}, f)
	require.NoError(t, c.Exec(t.Context(), "X"))
}

func TestObserve(t *testing.T) {
	f := startFrontend(t, always(reply{}))
	var mu sync.Mutex
	var seen []string
	c := newClient(t, sqlclient.Config{Database: "d", Observe: func(host, db string, _ time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		require.NoError(t, err)
		seen = append(seen, host+"/"+db)
	}}, f)
	require.NoError(t, c.Exec(t.Context(), "X"))
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"127.0.0.1/d"}, seen)
}

func TestQuote(t *testing.T) {
	require.Equal(t, "`a``b `", sqlclient.Quote("a`b "))
	require.Equal(t, "`d`.`t`", sqlclient.Name("d", "t"))
	require.Equal(t, `"a\\b\"c\'d"`, sqlclient.QuoteString(`a\b"c'd`))
}

func TestLongStatementInError(t *testing.T) {
	f := startFrontend(t, always(refuse(1105, "no")))
	err := newClient(t, sqlclient.Config{}, f).Exec(t.Context(), strings.Repeat("ä", 1<<20))
	require.Less(t, len(err.Error()), 4<<10)
}

// A refusal is told in characters that everybody takes, and not longer than a person reads: some have
// the whole statement in them.
func TestRefusalIsReadable(t *testing.T) {
	f := startFrontend(t, always(refuse(1105, "Unknown table \xff\xfe"+strings.Repeat("x", 100<<10))))
	err := newClient(t, sqlclient.Config{}, f).Exec(t.Context(), "DROP TABLE `d`.`t`")
	require.ErrorIs(t, err, sqlclient.ErrUnknownTable)
	require.True(t, utf8.ValidString(err.Error()))
	require.Less(t, len(err.Error()), 16<<10)
	var driver *mysql.MySQLError
	require.ErrorAs(t, err, &driver)
	require.Less(t, len(driver.Message), 16<<10)
}
