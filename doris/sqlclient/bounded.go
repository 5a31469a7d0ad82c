package sqlclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"
)

// ErrTooLarge: the answer to a statement is larger than this client accepts. A broken or hostile
// frontend must not end a process with all its jobs by what it announces or goes on sending.
var ErrTooLarge = errors.New("the answer is larger than this client accepts")

const (
	// DefaultMaxAnswer bounds an answer, in bytes, as it is sent and as it is kept.
	DefaultMaxAnswer = 1 << 30
	// maxColumns bounds the columns of an answer: the driver makes room for as many as are announced.
	maxColumns = 1 << 16
	// cellCost is what a cell takes beside its text.
	cellCost = 64
)

// limits are those of a pool's connections.
type limits struct {
	most int64 // bytes of an answer
	// refused is what was refused last: the driver does not tell.
	refused atomic.Pointer[error]
}

// dial is mysql.Config.DialFunc.
func (l *limits) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c, nil // cannot be: the network is tcp
	}
	return &boundedConn{TCPConn: tcp, limits: l, left: l.most}, nil
}

// explain says what was refused, where the driver says that the connection is lost.
func (l *limits) explain(err error) error {
	if !errors.Is(err, mysql.ErrInvalidConn) {
		return err
	}
	if refused := l.refused.Swap(nil); refused != nil {
		return *refused
	}
	return err
}

// boundedConn ends an answer that is too large. An answer begins when something has been sent.
// It is a TCPConn, because the driver looks at the socket to find out whether a connection lives.
type boundedConn struct {
	*net.TCPConn
	limits *limits
	left   int64
	// head are the first bytes of the answer until it is done, that is, known whether they are a
	// number of columns. With TLS they cannot be read.
	head []byte
	done bool
}

// Write implements net.Conn.
func (c *boundedConn) Write(p []byte) (int, error) {
	c.left, c.head, c.done = c.limits.most, c.head[:0], false
	return c.TCPConn.Write(p)
}

// Read implements net.Conn.
func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, c.refuse("more than %d bytes", c.limits.most)
	}
	n, err := c.TCPConn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if !c.done {
		if columns := c.columns(p[:n]); columns > maxColumns {
			return 0, c.refuse("%d columns", columns)
		}
	}
	return n, err
}

// refuse never gives what was read to the driver.
func (c *boundedConn) refuse(format string, args ...any) error {
	err := fmt.Errorf("%w: "+format, append([]any{ErrTooLarge}, args...)...)
	c.limits.refused.Store(&err)
	_ = c.Close() // nobody reads on
	return err
}

// headerSize and numberSize are the most bytes of a packet's header, and of a number of columns.
const headerSize, numberSize = 4, 9

// columns reads the number of columns that the first packet of an answer announces, 0 if it is
// something else. It comes in a packet of its own, with the sequence number 1.
func (c *boundedConn) columns(read []byte) uint64 {
	c.head = append(c.head, read[:min(len(read), headerSize+numberSize-len(c.head))]...)
	if len(c.head) < headerSize {
		return 0
	}
	size := int(c.head[0]) | int(c.head[1])<<8 | int(c.head[2])<<16
	if c.head[3] != 1 || size == 0 || size > numberSize {
		c.done = true
		return 0
	}
	if len(c.head) < headerSize+size {
		return 0
	}
	c.done = true
	number := c.head[headerSize : headerSize+size]
	bytes := map[byte]int{0xfc: 2, 0xfd: 3, 0xfe: 8}[number[0]]
	var n uint64
	for i := min(bytes, len(number)-1); i > 0; i-- {
		n = n<<8 | uint64(number[i])
	}
	return n
}
