package thriftpool

import (
	"context"
	"fmt"

	"github.com/apache/thrift/lib/go/thrift"
)

const (
	// maxElements is how many elements one list, set or map of an answer may have. The code that
	// Thrift generates makes room for as many as the answer announces, before it has read one: five
	// bytes of a broken or hostile server would take gigabytes, and end the process with all its jobs.
	// The largest lists there are have an element a tablet.
	maxElements = 4 << 20
	// allElements is how many all of an answer may have: an element of one byte takes a hundred when it
	// is read. Metadata has one a tablet and one a replica.
	allElements = 16 << 20
)

// bounded is the protocol with these limits.
type bounded struct {
	*thrift.TBinaryProtocol
	meter *meter
}

func (b bounded) check(size int, err error) error {
	b.meter.elements -= int64(size)
	if err == nil && (size > maxElements || b.meter.elements < 0) {
		// Of errors of other types Thrift keeps the text alone.
		err = thrift.NewTProtocolExceptionWithType(thrift.SIZE_LIMIT, fmt.Errorf("a list of %d elements, of %d in all", size, allElements-b.meter.elements))
	}
	return err
}

// ReadListBegin implements thrift.TProtocol.
func (b bounded) ReadListBegin(ctx context.Context) (thrift.TType, int, error) {
	kind, size, err := b.TBinaryProtocol.ReadListBegin(ctx)
	return kind, size, b.check(size, err)
}

// ReadSetBegin implements thrift.TProtocol.
func (b bounded) ReadSetBegin(ctx context.Context) (thrift.TType, int, error) {
	kind, size, err := b.TBinaryProtocol.ReadSetBegin(ctx)
	return kind, size, b.check(size, err)
}

// ReadMapBegin implements thrift.TProtocol.
func (b bounded) ReadMapBegin(ctx context.Context) (key, value thrift.TType, size int, err error) {
	key, value, size, err = b.TBinaryProtocol.ReadMapBegin(ctx)
	return key, value, size, b.check(size, err)
}
