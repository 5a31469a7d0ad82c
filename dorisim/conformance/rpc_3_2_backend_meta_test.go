package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/dorisim"
)

func TestBackendMeta(t *testing.T) {
	s := source(t)
	rows := map[string]row{}
	for _, r := range s.query("show backends") {
		rows[r["BackendId"]] = r
	}
	backends := s.backends()
	require.Len(t, backends, 3)
	require.Len(t, rows, 3)
	for id, b := range backends {
		r := rows[itoa(id)]
		require.Equal(t, r["Host"], b.Host)
		require.Equal(t, r["BePort"], itoa(int64(b.BePort)))
		require.Equal(t, r["HttpPort"], itoa(int64(b.HTTPPort)))
		require.Equal(t, r["BrpcPort"], itoa(int64(b.GetBrpcPort())))
		require.True(t, b.GetIsAlive())
		require.Equal(t, "true", r["Alive"])
	}
	// backend_id is ignored.
	one, err := s.fe.GetBackendMeta(ctx, &frontendservice.TGetBackendMetaRequest{User: new(user), Passwd: new(password), BackendID: new(int64(1))})
	require.NoError(t, err)
	require.Len(t, one.Backends, 3)
}

// TestDeadBackend: dead backends stay in the list.
func TestDeadBackend(t *testing.T) {
	c, s := private(t, func(cfg *dorisim.Config) { cfg.FEs = 1 })
	require.NoError(t, c.KillBE(1))
	require.Eventually(t, func() bool {
		dead := 0
		for _, b := range s.backends() {
			if !b.GetIsAlive() {
				dead++
			}
		}
		return dead == 1 && len(s.backends()) == 3
	}, patience, 10e6)
}
