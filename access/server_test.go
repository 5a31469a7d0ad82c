package access

import (
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nobody holds a connection, or memory, for as long as they like.
func TestServersAreBounded(t *testing.T) {
	s := NewServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	for _, bound := range []int64{int64(s.ReadHeaderTimeout), int64(s.ReadTimeout), int64(s.IdleTimeout), int64(s.MaxHeaderBytes)} {
		require.Positive(t, bound)
	}
}
