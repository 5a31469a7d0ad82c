package conformance

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
)

// TestHostOfTheUser is doris-rpc.md 3, rule 3: some calls match the user's host
// pattern with the socket's peer, others with user_ip, which clients leave out:
// there only users for any host pass.
func TestHostOfTheUser(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "orders", 1)
	table := s.tableMeta(db, "orders").GetID()
	pw := new("pw")
	for name, host := range map[string]string{"near": "127.0.0._", "far": "10.%", "any": "%"} {
		s.exec("CREATE USER '%s'@'%s' IDENTIFIED BY 'pw'", name, host)
		s.exec("GRANT ALL ON *.*.* TO '%s'@'%s'", name, host)
	}
	s.exec("CREATE USER IF NOT EXISTS 'near'@'127.0.0._'")
	s.refuses(1105, "User 'near'@'127.0.0._' already exist", "CREATE USER 'near'@'127.0.0._'")
	s.refuses(1105, "User 'near'@'%' does not exist", "DROP USER 'near'")
	require.Equal(t, "'far'@'10.%'", s.query("SHOW GRANTS FOR 'far'@'10.%%'")[0]["UserIdentity"])

	denied := func(name, from string) string {
		return fmt.Sprintf("Access denied for user '%s@%s' (using password: YES)", name, from)
	}
	for name, passes := range map[string]struct{ peer, unsaid, said bool }{
		"near": {peer: true, said: true}, "far": {}, "any": {peer: true, unsaid: true, said: true},
	} {
		want := func(pass bool, from string, s *status.TStatus) {
			t.Helper()
			if pass {
				require.NotContains(t, fmt.Sprint(s.ErrorMsgs), "Access denied", name)
				return
			}
			analysis(t, denied(name, from), s)
		}
		meta, err := s.fe.GetMeta(ctx, &frontendservice.TGetMetaRequest{User: &name, Passwd: pw, Db: &frontendservice.TGetMetaDB{Name: &db}})
		require.NoError(t, err)
		want(passes.peer, "127.0.0.1", meta.Status)
		lock, err := s.fe.LockBinlog(ctx, &frontendservice.TLockBinlogRequest{User: &name, Passwd: pw, Db: &db, JobUniqueID: &name})
		require.NoError(t, err)
		want(passes.peer, "127.0.0.1", lock.Status)
		for _, ip := range []*string{nil, new("127.0.0.1")} {
			from := "null"
			if ip != nil {
				from = *ip
			}
			read := binlogRequest(db, -1, -1, 1)
			read.User, read.Passwd, read.UserIP = &name, pw, ip
			log, err := s.fe.GetBinlog(ctx, read)
			require.NoError(t, err)
			want(ip == nil && passes.unsaid || ip != nil && passes.said, from, log.Status)
			begin := beginRequest(db, []int64{table}, newLabel())
			begin.User, begin.Passwd, begin.UserIP = &name, pw, ip
			want(ip == nil && passes.unsaid || ip != nil && passes.said, from, s.beginTxn(begin).Status)
		}
		client, err := sql.Open("mysql", fmt.Sprintf("%s:pw@tcp(%s)/", name, c.FE(0).MySQLAddr()))
		require.NoError(t, err)
		defer client.Close()
		if !passes.peer {
			require.ErrorContains(t, client.PingContext(ctx), denied(name, "127.0.0.1"))
			continue
		}
		var identity string
		require.NoError(t, client.QueryRowContext(ctx, "SELECT current_user()").Scan(&identity))
		require.Equal(t, map[string]string{"near": "'near'@'127.0.0._'", "any": "'any'@'%'"}[name], identity)
	}
}
