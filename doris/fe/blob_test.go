package fe_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
)

// A blob has the same bytes, however it came.
func TestBlob(t *testing.T) {
	for name, plain := range map[string][]byte{"small": []byte("meta"), "large": bytes.Repeat([]byte("metadata "), 1<<17), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			file, err := fe.PlainBlob(plain).Packed()
			require.NoError(t, err)
			for _, b := range []fe.Blob{fe.PlainBlob(plain), fe.PackedBlob(file)} {
				got, err := b.Plain()
				require.NoError(t, err)
				require.Equal(t, string(plain), string(got))
				require.Equal(t, len(plain), b.PlainSize())
				r, err := b.Reader()
				require.NoError(t, err)
				read, err := io.ReadAll(r)
				require.NoError(t, err)
				require.Equal(t, string(plain), string(read))
				again, err := b.Packed()
				require.NoError(t, err)
				require.Equal(t, file, again)
			}
			require.Equal(t, len(file), fe.PackedBlob(file).Size())
		})
	}
}

// A file that is not what it says leads to an error, and to no more memory than a file of
// its size can be about.
func TestBlobIsSpoilt(t *testing.T) {
	file, err := fe.PlainBlob([]byte("meta")).Packed()
	require.NoError(t, err)
	for name, data := range map[string][]byte{"no file": []byte("meta"), "short": file[:len(file)-3], "nothing": {}} {
		_, err := fe.PackedBlob(data).Plain()
		require.Error(t, err, name)
	}
	copy(file[len(file)-4:], "\xff\xff\xff\xff")
	require.Less(t, fe.PackedBlob(file).PlainSize(), 100_000)
	_, err = fe.PackedBlob(file).Plain()
	require.Error(t, err)
}
