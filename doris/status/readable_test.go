package status

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestReadable(t *testing.T) {
	require.Equal(t, "no such table: 表", Readable("no such table: 表"))
	require.Equal(t, "bad \uFFFD text", Readable("bad \xff\xfe text"))
	for extra := range 4 { // wherever a character is cut
		long := Readable(strings.Repeat("x", extra) + strings.Repeat("表", 5<<20))
		require.True(t, utf8.ValidString(long))
		require.Less(t, len(long), maxText+10)
	}
}
