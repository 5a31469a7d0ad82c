package hash

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestVectors: Doris' results (doris-sql.md 5.9), each the seed of the next, and
// published vectors of MurmurHash3_x86_32 and XXH32.
func TestVectors(t *testing.T) {
	murmur64, xx64, murmur32, xx32 := uint64(0), uint64(0), uint32(Murmur3Seed32), uint32(0)
	for _, want := range []struct {
		argument           string
		murmur64, xx64     int64
		murmur32, xxHash32 int32
	}{
		{"hello", -3215607508166160593, -7685981735718036227, 1321743225, -83855367},
		{"world", 3583109472027628045, 7001965798170371843, 984713481, -920844969},
		{"!", 1887828212617890932, 6796829678999971400, -666935433, 352087701},
	} {
		murmur64, xx64 = Murmur3x64(want.argument, murmur64), XX64(want.argument, xx64)
		murmur32, xx32 = Murmur3x32(want.argument, murmur32), XX32(want.argument, xx32)
		require.Equal(t, want.murmur64, int64(murmur64), want.argument)
		require.Equal(t, want.xx64, int64(xx64), want.argument)
		require.Equal(t, want.murmur32, int32(murmur32), want.argument)
		require.Equal(t, want.xxHash32, int32(xx32), want.argument)
	}
	require.Equal(t, uint32(0x248bfa47), Murmur3x32("hello", 0))
	require.Equal(t, uint32(0x149bbb7f), Murmur3x32("hello, world", 0))
	require.Equal(t, uint32(0x514e28b7), Murmur3x32("", 1))
	require.Equal(t, uint32(0x02cc5d05), XX32("", 0))
	require.Equal(t, uint32(0x32d153ff), XX32("abc", 0))
	require.Equal(t, uint32(0xe2293b2f), XX32("Nobody inspects the spammish repetition", 0))
}

// TestLengths: texts of every length have hashes of their own, with every seed.
func TestLengths(t *testing.T) {
	seen := map[uint64]bool{0: true} // of the empty text
	for n := 1; n < 600; n++ {
		text := strings.Repeat("x", n)
		for i, h := range []uint64{
			Murmur3x64(text, 0), Murmur3x64(text, 1), XX64(text, 0), XX64(text, 1), uint64(Murmur3x32(text, 0)), uint64(XX32(text, 0)),
		} {
			require.False(t, seen[h], "function %d of %d bytes", i, n)
			seen[h] = true
		}
	}
}
