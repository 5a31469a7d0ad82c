package access

import (
	"bytes"
	"context"
	"log"
	"log/slog"
)

// ServerLog is the log of an http.Server. What strangers cause who look for open ports is
// not worth more than debug: they speak no TLS, or another one, or hang up.
func ServerLog(to *slog.Logger) *log.Logger { return log.New(serverLog{to}, "", 0) }

type serverLog struct{ to *slog.Logger }

func (s serverLog) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.HasPrefix(line, []byte("http: TLS handshake error")) {
		level = slog.LevelDebug
	}
	s.to.Log(context.Background(), level, string(bytes.TrimSpace(line)))
	return len(line), nil
}
