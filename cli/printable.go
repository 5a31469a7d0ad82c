package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
)

// printable is a standard stream on which nothing but texts, line ends and tabs arrives. What
// commands print was written by others mostly: the error of a frontend, the name of a table, the
// answer of whatever listens at an address. A terminal takes some of it for orders: to move the
// cursor over what was said before, to change the title, to send keys.
type printable struct{ *os.File }

// orders are what a terminal may obey, and what turns the direction of a line around.
var orders = regexp.MustCompile("[\\x00-\\x08\\x0b-\\x1f\\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069]")

// Write implements io.Writer. The line ends of some answers have two characters.
func (p printable) Write(text []byte) (int, error) {
	if !orders.Match(text) {
		return p.File.Write(text)
	}
	clean := orders.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("?"))
	if _, err := p.File.Write(clean); err != nil {
		return 0, err
	}
	return len(text), nil
}

// WriteString implements io.StringWriter, as Write does it and not as a file does.
func (p printable) WriteString(text string) (int, error) { return p.Write([]byte(text)) }

// ReadFrom implements io.ReaderFrom in the same way.
func (p printable) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{p}, r)
}

// escaped is JSON without the orders that JSON permits in its texts.
func escaped(text []byte) []byte {
	return orders.ReplaceAllFunc(text, func(order []byte) []byte {
		if len(order) == 1 && order[0] < ' ' {
			return order // a line end between two values
		}
		return fmt.Appendf(nil, `\u%04x`, bytes.Runes(order)[0])
	})
}
