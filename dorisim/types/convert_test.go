package types

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConvert(t *testing.T) {
	integer, text := Type{Kind: Int}, Type{Kind: Varchar, Len: 3}
	for _, tt := range []struct {
		from, to Type
		v, want  Value
	}{
		{integer, integer, int64(1), int64(1)},
		{integer, text, nil, nil},
		{integer, Type{Kind: BigInt}, int64(7), int64(7)},
		{integer, Type{Kind: LargeInt}, int64(7), "7"},
		{integer, text, int64(-7), "-7"},
		{text, integer, "12", int64(12)},
		{Type{Kind: Date}, Type{Kind: DateTime}, "2024-01-02", "2024-01-02 00:00:00"},
		{Type{Kind: DateTime}, Type{Kind: Date}, "2024-01-02 03:04:05", "2024-01-02"},
	} {
		got, err := Convert(tt.v, tt.from, tt.to)
		require.NoError(t, err)
		require.Equal(t, tt.want, got)
	}
	_, err := Convert(int64(1234), integer, text)
	require.ErrorIs(t, err, ErrTooLong)
	_, err = Convert("x", text, integer)
	require.ErrorIs(t, err, ErrSyntax)
}
