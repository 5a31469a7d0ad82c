package thriftpool

import (
	"bytes"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"
)

// Lists that are each no longer than they may be are too long together, in one answer.
func TestElementsOfAnAnswer(t *testing.T) {
	memory := thrift.NewTMemoryBuffer()
	writer := thrift.NewTBinaryProtocolConf(memory, nil)
	const lists = allElements/maxElements + 1
	for range lists {
		require.NoError(t, writer.WriteListBegin(t.Context(), thrift.BYTE, maxElements))
	}
	m := &meter{}
	reader := thrift.NewStreamTransportR(bytes.NewReader(memory.Bytes()))
	b := bounded{thrift.NewTBinaryProtocolConf(reader, &thrift.TConfiguration{MaxMessageSize: DefaultMaxMessageSize}), m}
	m.begin(1 << 20)
	for range lists - 1 {
		_, size, err := b.ReadListBegin(t.Context())
		require.NoError(t, err)
		require.Equal(t, maxElements, size)
	}
	_, _, err := b.ReadListBegin(t.Context())
	require.ErrorIs(t, asTooLarge(err), ErrTooLarge)
	require.ErrorContains(t, err, "in all")
}
