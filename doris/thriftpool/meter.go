package thriftpool

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/apache/thrift/lib/go/thrift"
)

// ErrTooLarge: the answer is larger than Target.MaxMessageSize. To ask again for
// the same is of no use.
var ErrTooLarge = errors.New("the answer is larger than this client accepts")

// meter ends the reading of an answer that is too large. Thrift's own limits are
// about single strings and frames: an answer of many strings has none.
type meter struct {
	net.Conn
	limit, left int64 // bytes
	elements    int64 // of lists that the answer may still have, see bounded
}

// begin lets an answer have so many bytes.
func (m *meter) begin(limit int32) {
	m.limit, m.left, m.elements = int64(limit), int64(limit), allElements
}

// Read implements net.Conn.
func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, m.limit)
	}
	// All of a large string can be there at once.
	n, err := m.Conn.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	return n, err
}

// SyscallConn implements syscall.Conn: Thrift looks at the socket to find out
// whether a connection lives.
func (m *meter) SyscallConn() (syscall.RawConn, error) {
	c, ok := m.Conn.(syscall.Conn)
	if !ok {
		return nil, syscall.EINVAL
	}
	return c.SyscallConn()
}

// asTooLarge names Thrift's own refusals like the meter's.
func asTooLarge(err error) error {
	var protocol thrift.TProtocolException
	if err != nil && !errors.Is(err, ErrTooLarge) && errors.As(err, &protocol) && protocol.TypeId() == thrift.SIZE_LIMIT {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return err
}
