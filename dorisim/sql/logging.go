package sql

import (
	"fmt"
	"log/slog"
	"sync"

	vitess "github.com/dolthub/vitess/go/vt/log"
)

// vitessLogs guards the protocol library's logger, of which there is one in a
// process.
var vitessLogs sync.Once

// routeLogs sends what the protocol library writes to the standard log (mostly
// about clients that went away) to the first server's logger instead.
func routeLogs(l *slog.Logger) {
	vitessLogs.Do(func() {
		printf := func(format string, args ...any) { l.Debug(fmt.Sprintf(format, args...)) }
		plain := func(args ...any) { l.Debug(fmt.Sprint(args...)) }
		vitess.Info, vitess.Infof = plain, printf
		vitess.Warning, vitess.Warningf = plain, printf
		vitess.Error, vitess.Errorf = plain, printf
	})
}
