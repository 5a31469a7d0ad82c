package sqlclient_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// What an answer announces takes no memory: without a bound the driver makes room for as many
// columns, and the process ends.
func TestAnnouncedColumnsAreNotBelieved(t *testing.T) {
	for name, raw := range map[string][]byte{
		"eight bytes": {9, 0, 0, 1, 0xfe, 0, 0, 0, 0, 4, 0, 0, 0},
		"three bytes": {4, 0, 0, 1, 0xfd, 0xff, 0xff, 0xff},
	} {
		f := startFrontend(t, func(statement string) reply {
			if statement == "SHOW X" {
				return reply{raw: raw}
			}
			return table([]string{"n"}, []any{"1"})
		})
		c := newClient(t, sqlclient.Config{}, f)
		_, err := c.Query(t.Context(), "SHOW X")
		require.ErrorIs(t, err, sqlclient.ErrTooLarge, name)
		rows, err := c.Query(t.Context(), "SHOW Y")
		require.NoError(t, err)
		require.Equal(t, "1", rows[0].Get("n"))
	}
}

// The bytes of an answer come in any pieces.
func TestColumnsInPieces(t *testing.T) {
	names := make([]string, 200)
	row := make([]any, len(names))
	for i := range names {
		names[i], row[i] = string(bytes.Repeat([]byte{'c'}, i+1)), "v"
	}
	f := startFrontend(t, always(table(names, row)))
	rows, err := newClient(t, sqlclient.Config{}, f).Query(t.Context(), "SHOW X")
	require.NoError(t, err)
	require.Len(t, rows[0], len(names))
}

// An answer that does not end is ended, whether it is one packet or many rows.
func TestAnswersEnd(t *testing.T) {
	packet := append([]byte{0xff, 0xff, 0xff, 2}, make([]byte, 1<<24-1)...)
	rows := make([][]any, 5000)
	for i := range rows {
		rows[i] = []any{"v"}
	}
	for name, r := range map[string]reply{"a packet": {raw: packet, endless: true}, "rows": table([]string{"n"}, rows...)} {
		f := startFrontend(t, always(r))
		_, err := newClient(t, sqlclient.Config{MaxAnswer: 256 << 10}, f).Query(t.Context(), "SHOW X")
		require.ErrorIs(t, err, sqlclient.ErrTooLarge, name)
	}
}
