package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// TestPrivileges is rule 6 of doris-rpc.md 3: a valid password is enough for
// getMasterToken and getBackendMeta, the others need privileges.
func TestPrivileges(t *testing.T) {
	_, s := private(t, func(cfg *dorisim.Config) { cfg.Users = []core.User{{Name: "guest", Password: password}} })
	db := s.database()
	s.table(db, "a", 1)
	const denied = "Access denied; you need (at least one of) the ("
	guest := new("guest")

	token, err := s.fe.GetMasterToken(ctx, &frontendservice.TGetMasterTokenRequest{User: guest, Password: new(password)})
	require.NoError(t, err)
	requireOK(t, token.Status)
	backends, err := s.fe.GetBackendMeta(ctx, &frontendservice.TGetBackendMetaRequest{User: guest, Passwd: new(password)})
	require.NoError(t, err)
	requireOK(t, backends.Status)

	read := binlogRequest(db, -1, -1, 1)
	read.User = guest
	analysis(t, denied, s.getBinlog(read).Status)
	lag, err := s.fe.GetBinlogLag(ctx, read)
	require.NoError(t, err)
	analysis(t, denied, lag.Status)
	meta, err := s.fe.GetMeta(ctx, &frontendservice.TGetMetaRequest{User: guest, Passwd: new(password), Db: &frontendservice.TGetMetaDB{Name: &db}})
	require.NoError(t, err)
	analysis(t, denied, meta.Status)
	begin := beginRequest(db, []int64{s.tableMeta(db, "a").GetID()}, newLabel())
	begin.User = guest
	analysis(t, denied, s.beginTxn(begin).Status)

	// A token takes the place of the password where external clients may not
	// rely on it, but must not be broken by it.
	trusted := binlogRequest(db, -1, -1, 1)
	trusted.Passwd, trusted.Token = new("wrong"), token.Token
	requireOK(t, s.getBinlog(trusted).Status)
}
