package sqlclient_test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// reply is what the fake frontend answers to a statement.
type reply struct {
	columns []string
	rows    [][]any // string or nil
	code    uint16  // with text: an error
	text    string
	drop    bool // close the connection instead
	hang    bool // answer nothing until the test ends
	raw     []byte
	endless bool // send raw again and again
}

func table(columns []string, rows ...[]any) reply { return reply{columns: columns, rows: rows} }

func refuse(code uint16, text string) reply { return reply{code: code, text: text} }

// frontend is a fake FE that speaks as much of the MySQL protocol as a driver
// needs that sends plain text statements.
type frontend struct {
	endpoint sqlclient.Endpoint
	listener net.Listener
	end      chan struct{}

	mu         sync.Mutex
	answer     func(statement string) reply
	statements []string
	conns      map[net.Conn]bool
	denied     bool // refuse everybody
}

func startFrontend(t *testing.T, answer func(statement string) reply) *frontend {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().(*net.TCPAddr)
	f := &frontend{
		endpoint: sqlclient.Endpoint{Host: addr.IP.String(), Port: addr.Port},
		listener: l, end: make(chan struct{}), answer: answer, conns: map[net.Conn]bool{},
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns[c] = true
			f.mu.Unlock()
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				_ = f.serve(c)
			})
		}
	})
	t.Cleanup(func() {
		close(f.end)
		_ = l.Close()
		f.disconnect()
		wg.Wait()
	})
	return f
}

// disconnect closes all connections, as a restart does.
func (f *frontend) disconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
		delete(f.conns, c)
	}
}

func (f *frontend) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.statements...)
}

func readPacket(c net.Conn) ([]byte, byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		return nil, 0, err
	}
	body := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, err := io.ReadFull(c, body)
	return body, header[3], err
}

func writePacket(c net.Conn, seq byte, body []byte) error {
	n := len(body)
	_, err := c.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), seq}, body...))
	return err
}

func lenenc(s string) []byte {
	n := len(s)
	if n < 251 {
		return append([]byte{byte(n)}, s...)
	}
	return append([]byte{0xfd, byte(n), byte(n >> 8), byte(n >> 16)}, s...)
}

var (
	okPacket  = []byte{0, 0, 0, 2, 0, 0, 0}
	eofPacket = []byte{0xfe, 0, 0, 2, 0}
)

func errPacket(code uint16, text string) []byte {
	return append(append(binary.LittleEndian.AppendUint16([]byte{0xff}, code), "#HY000"...), text...)
}

func handshake() []byte {
	const capabilities = 0x00000001 | 0x00000200 | 0x00002000 | 0x00008000 | 0x00080000
	b := append([]byte{10}, "5.7.99\x00"...)
	b = append(b, 1, 0, 0, 0)
	b = append(b, "12345678\x00"...)
	b = binary.LittleEndian.AppendUint16(b, capabilities&0xffff)
	b = append(b, 33, 2, 0)
	b = binary.LittleEndian.AppendUint16(b, capabilities>>16)
	b = append(b, 21)
	b = append(b, make([]byte, 10)...)
	b = append(b, "123456789012\x00"...)
	return append(b, "mysql_native_password\x00"...)
}

func (f *frontend) serve(c net.Conn) error {
	if err := writePacket(c, 0, handshake()); err != nil {
		return err
	}
	_, seq, err := readPacket(c)
	if err != nil {
		return err
	}
	f.mu.Lock()
	denied := f.denied
	f.mu.Unlock()
	if denied {
		return writePacket(c, seq+1, errPacket(1045, "Access denied for user 'root@127.0.0.1' (using password: YES)"))
	}
	if err := writePacket(c, seq+1, okPacket); err != nil {
		return err
	}
	for {
		body, _, err := readPacket(c)
		if err != nil || len(body) == 0 || body[0] == 1 {
			return err
		}
		if body[0] != 3 {
			if err := writePacket(c, 1, okPacket); err != nil {
				return err
			}
			continue
		}
		if more, err := f.query(c, string(body[1:])); !more || err != nil {
			return err
		}
	}
}

func (f *frontend) query(c net.Conn, statement string) (more bool, err error) {
	f.mu.Lock()
	f.statements = append(f.statements, statement)
	r := f.answer(statement)
	f.mu.Unlock()
	switch {
	case r.hang:
		<-f.end
		return false, nil
	case r.drop:
		return false, nil
	case r.raw != nil:
		_, err := c.Write(r.raw)
		for err == nil && r.endless {
			_, err = c.Write(r.raw)
		}
		return true, err
	case r.text != "":
		return true, writePacket(c, 1, errPacket(r.code, r.text))
	case r.columns == nil:
		return true, writePacket(c, 1, okPacket)
	}
	packets := [][]byte{{byte(len(r.columns))}}
	for _, name := range r.columns {
		p := lenenc("def")
		for _, s := range []string{"", "", "", name, name} {
			p = append(p, lenenc(s)...)
		}
		packets = append(packets, append(p, 0x0c, 33, 0, 0, 1, 0, 0, 253, 0, 0, 0, 0, 0))
	}
	packets = append(packets, eofPacket)
	for _, row := range r.rows {
		var p []byte
		for _, cell := range row {
			if cell == nil {
				p = append(p, 0xfb)
			} else {
				p = append(p, lenenc(cell.(string))...)
			}
		}
		packets = append(packets, p)
	}
	packets = append(packets, eofPacket)
	for i, p := range packets {
		if err := writePacket(c, byte(i+1), p); err != nil {
			return false, err
		}
	}
	return true, nil
}

func newClient(t *testing.T, cfg sqlclient.Config, frontends ...*frontend) *sqlclient.Client {
	t.Helper()
	cfg.User, cfg.Password = "root", "topsecret"
	for _, f := range frontends {
		cfg.Frontends = append(cfg.Frontends, f.endpoint)
	}
	c := sqlclient.New(cfg)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}
