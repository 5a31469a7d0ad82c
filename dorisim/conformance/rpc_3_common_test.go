package conformance

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// argument is one checked argument of a method: its name in the error text.
type argument[R any] struct {
	name string
	set  func(R)
}

// method is one FE method with its arguments in the order of the checks.
type method interface {
	check(t *testing.T, s *side)
	empty(t *testing.T, fe *frontendservice.FrontendServiceClient) (*status.TStatus, *thrifttypes.TNetworkAddress)
	wrongPassword(t *testing.T, s *side, db string) *status.TStatus
}

type feMethod[R any] struct {
	fresh     func() R
	call      func(*frontendservice.FrontendServiceClient, R) (*status.TStatus, *thrifttypes.TNetworkAddress, error)
	arguments []argument[R]
	login     func(r R, user, password, db string)
}

// check leaves out one argument after the other.
func (m feMethod[R]) check(t *testing.T, s *side) {
	request := m.fresh()
	for _, a := range m.arguments {
		got, _, err := m.call(s.fe, request)
		require.NoError(t, err)
		analysis(t, a.name+" is not set", got)
		a.set(request)
	}
}

func (m feMethod[R]) empty(t *testing.T, fe *frontendservice.FrontendServiceClient) (*status.TStatus, *thrifttypes.TNetworkAddress) {
	got, address, err := m.call(fe, m.fresh())
	require.NoError(t, err)
	return got, address
}

func (m feMethod[R]) wrongPassword(t *testing.T, s *side, db string) *status.TStatus {
	request := m.fresh()
	for _, a := range m.arguments {
		a.set(request)
	}
	m.login(request, user, "wrong", db)
	got, _, err := m.call(s.fe, request)
	require.NoError(t, err)
	return got
}

type (
	client   = frontendservice.FrontendServiceClient
	tstatus  = status.TStatus
	taddress = thrifttypes.TNetworkAddress
)

var feMethods = map[string]method{
	"getBackendMeta": feMethod[*frontendservice.TGetBackendMetaRequest]{
		fresh: frontendservice.NewTGetBackendMetaRequest,
		call: func(fe *client, r *frontendservice.TGetBackendMetaRequest) (*tstatus, *taddress, error) {
			x, err := fe.GetBackendMeta(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			return x.GetStatus(), x.GetMasterAddress(), nil
		},
		arguments: []argument[*frontendservice.TGetBackendMetaRequest]{
			{"user", func(r *frontendservice.TGetBackendMetaRequest) { r.User = new(user) }},
			{"passwd", func(r *frontendservice.TGetBackendMetaRequest) { r.Passwd = new(password) }},
		},
		login: func(r *frontendservice.TGetBackendMetaRequest, u, p, _ string) { r.User, r.Passwd = &u, &p },
	},
	"getMeta": feMethod[*frontendservice.TGetMetaRequest]{
		fresh: frontendservice.NewTGetMetaRequest,
		call: func(fe *client, r *frontendservice.TGetMetaRequest) (*tstatus, *taddress, error) {
			x, err := fe.GetMeta(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			return x.GetStatus(), x.GetMasterAddress(), nil
		},
		arguments: []argument[*frontendservice.TGetMetaRequest]{
			{"user", func(r *frontendservice.TGetMetaRequest) { r.User = new(user) }},
			{"passwd", func(r *frontendservice.TGetMetaRequest) { r.Passwd = new(password) }},
			{"db", func(r *frontendservice.TGetMetaRequest) { r.Db = &frontendservice.TGetMetaDB{Name: new("none")} }},
		},
		login: func(r *frontendservice.TGetMetaRequest, u, p, db string) {
			r.User, r.Passwd, r.Db = &u, &p, &frontendservice.TGetMetaDB{Name: &db}
		},
	},
	"getBinlog": binlogMethod(func(fe *client, r *frontendservice.TGetBinlogRequest) (*tstatus, *taddress, error) {
		x, err := fe.GetBinlog(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		return x.GetStatus(), x.GetMasterAddress(), nil
	}),
	"getBinlogLag": binlogMethod(func(fe *client, r *frontendservice.TGetBinlogRequest) (*tstatus, *taddress, error) {
		x, err := fe.GetBinlogLag(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		return x.GetStatus(), x.GetMasterAddress(), nil
	}),
	"lockBinlog": feMethod[*frontendservice.TLockBinlogRequest]{
		fresh: frontendservice.NewTLockBinlogRequest,
		call: func(fe *client, r *frontendservice.TLockBinlogRequest) (*tstatus, *taddress, error) {
			x, err := fe.LockBinlog(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			return x.GetStatus(), x.GetMasterAddress(), nil
		},
		arguments: []argument[*frontendservice.TLockBinlogRequest]{
			{"user", func(r *frontendservice.TLockBinlogRequest) { r.User = new(user) }},
			{"passwd", func(r *frontendservice.TLockBinlogRequest) { r.Passwd = new(password) }},
			{"db", func(r *frontendservice.TLockBinlogRequest) { r.Db = new("none") }},
			{"job_unique_id", func(r *frontendservice.TLockBinlogRequest) { r.JobUniqueID = new("job") }},
		},
		login: func(r *frontendservice.TLockBinlogRequest, u, p, db string) { r.User, r.Passwd, r.Db = &u, &p, &db },
	},
	"beginTxn": feMethod[*frontendservice.TBeginTxnRequest]{
		fresh: frontendservice.NewTBeginTxnRequest,
		call: func(fe *client, r *frontendservice.TBeginTxnRequest) (*tstatus, *taddress, error) {
			x, err := fe.BeginTxn(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			return x.GetStatus(), x.GetMasterAddress(), nil
		},
		arguments: []argument[*frontendservice.TBeginTxnRequest]{
			{"user", func(r *frontendservice.TBeginTxnRequest) { r.User = new(user) }},
			{"passwd", func(r *frontendservice.TBeginTxnRequest) { r.Passwd = new(password) }},
			{"db", func(r *frontendservice.TBeginTxnRequest) { r.Db = new("none") }},
			{"table ids", func(r *frontendservice.TBeginTxnRequest) { r.TableIds = []int64{} }},
			{"label", func(r *frontendservice.TBeginTxnRequest) { r.Label = new("label") }},
		},
		login: func(r *frontendservice.TBeginTxnRequest, u, p, db string) { r.User, r.Passwd, r.Db = &u, &p, &db },
	},
	"commitTxn": feMethod[*frontendservice.TCommitTxnRequest]{
		fresh: frontendservice.NewTCommitTxnRequest,
		call: func(fe *client, r *frontendservice.TCommitTxnRequest) (*tstatus, *taddress, error) {
			x, err := fe.CommitTxn(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			return x.GetStatus(), x.GetMasterAddress(), nil
		},
		arguments: []argument[*frontendservice.TCommitTxnRequest]{
			{"user", func(r *frontendservice.TCommitTxnRequest) { r.User = new(user) }},
			{"passwd", func(r *frontendservice.TCommitTxnRequest) { r.Passwd = new(password) }},
			{"db", func(r *frontendservice.TCommitTxnRequest) { r.Db = new("none") }},
			{"txn_id", func(r *frontendservice.TCommitTxnRequest) { r.TxnID = new(int64(1)) }},
			{"commit_infos", func(r *frontendservice.TCommitTxnRequest) { r.CommitInfos = []*thrifttypes.TTabletCommitInfo{} }},
		},
	},
	"rollbackTxn": feMethod[*frontendservice.TRollbackTxnRequest]{
		fresh: frontendservice.NewTRollbackTxnRequest,
		call: func(fe *client, r *frontendservice.TRollbackTxnRequest) (*tstatus, *taddress, error) {
			x, err := fe.RollbackTxn(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			return x.GetStatus(), x.GetMasterAddress(), nil
		},
		arguments: []argument[*frontendservice.TRollbackTxnRequest]{
			{"user", func(r *frontendservice.TRollbackTxnRequest) { r.User = new(user) }},
			{"passwd", func(r *frontendservice.TRollbackTxnRequest) { r.Passwd = new(password) }},
			{"db", func(r *frontendservice.TRollbackTxnRequest) { r.Db = new("none") }},
			{"txn_id", func(r *frontendservice.TRollbackTxnRequest) { r.TxnID = new(int64(1)) }},
		},
	},
	"getSnapshot": feMethod[*frontendservice.TGetSnapshotRequest]{
		fresh: frontendservice.NewTGetSnapshotRequest,
		call: func(fe *client, r *frontendservice.TGetSnapshotRequest) (*tstatus, *taddress, error) {
			x, err := fe.GetSnapshot(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			return x.GetStatus(), x.GetMasterAddress(), nil
		},
		arguments: []argument[*frontendservice.TGetSnapshotRequest]{
			{"user", func(r *frontendservice.TGetSnapshotRequest) { r.User = new(user) }},
			{"passwd", func(r *frontendservice.TGetSnapshotRequest) { r.Passwd = new(password) }},
			{"db", func(r *frontendservice.TGetSnapshotRequest) { r.Db = new("none") }},
			{"label_name", func(r *frontendservice.TGetSnapshotRequest) { r.LabelName = new("label") }},
			{"snapshot_name", func(r *frontendservice.TGetSnapshotRequest) { r.SnapshotName = new("") }},
			{"snapshot_type", func(r *frontendservice.TGetSnapshotRequest) {
				r.SnapshotType = new(frontendservice.TSnapshotType_LOCAL)
			}},
		},
		login: func(r *frontendservice.TGetSnapshotRequest, u, p, db string) { r.User, r.Passwd, r.Db = &u, &p, &db },
	},
	"restoreSnapshot": feMethod[*frontendservice.TRestoreSnapshotRequest]{
		fresh: frontendservice.NewTRestoreSnapshotRequest,
		call: func(fe *client, r *frontendservice.TRestoreSnapshotRequest) (*tstatus, *taddress, error) {
			x, err := fe.RestoreSnapshot(ctx, r)
			if err != nil {
				return nil, nil, err
			}
			return x.GetStatus(), x.GetMasterAddress(), nil
		},
		arguments: []argument[*frontendservice.TRestoreSnapshotRequest]{
			{"user", func(r *frontendservice.TRestoreSnapshotRequest) { r.User = new(user) }},
			{"passwd", func(r *frontendservice.TRestoreSnapshotRequest) { r.Passwd = new(password) }},
			{"db", func(r *frontendservice.TRestoreSnapshotRequest) { r.Db = new("none") }},
			{"label_name", func(r *frontendservice.TRestoreSnapshotRequest) { r.LabelName = new("label") }},
			{"repo_name", func(r *frontendservice.TRestoreSnapshotRequest) { r.RepoName = new("__keep_on_local__") }},
			{"meta", func(r *frontendservice.TRestoreSnapshotRequest) { r.Meta = []byte("x") }},
			{"job_info", func(r *frontendservice.TRestoreSnapshotRequest) { r.JobInfo = []byte("{}") }},
		},
		login: func(r *frontendservice.TRestoreSnapshotRequest, u, p, db string) {
			r.User, r.Passwd, r.Db = &u, &p, &db
		},
	},
}

func binlogMethod(call func(*client, *frontendservice.TGetBinlogRequest) (*tstatus, *taddress, error)) method {
	return feMethod[*frontendservice.TGetBinlogRequest]{
		fresh: frontendservice.NewTGetBinlogRequest,
		call:  call,
		arguments: []argument[*frontendservice.TGetBinlogRequest]{
			{"user", func(r *frontendservice.TGetBinlogRequest) { r.User = new(user) }},
			{"passwd", func(r *frontendservice.TGetBinlogRequest) { r.Passwd = new(password) }},
			{"db", func(r *frontendservice.TGetBinlogRequest) { r.Db = new("none") }},
			{"prev_commit_seq", func(r *frontendservice.TGetBinlogRequest) { r.PrevCommitSeq = new(int64(-1)) }},
		},
		login: func(r *frontendservice.TGetBinlogRequest, u, p, db string) { r.User, r.Passwd, r.Db = &u, &p, &db },
	}
}

func TestMissingArguments(t *testing.T) {
	s := source(t)
	for name, m := range feMethods {
		t.Run(name, func(t *testing.T) { m.check(t, s) })
	}
}

// TestNotMaster: a follower answers before it looks at any argument.
func TestNotMaster(t *testing.T) {
	s := source(t)
	follower := frontend(t, sourceCluster.FE(1).ThriftAddr())
	var host, port string
	for _, fe := range s.query("SHOW FRONTENDS") {
		if fe["IsMaster"] == "true" {
			host, port = fe["Host"], fe["RpcPort"]
		}
	}
	require.Equal(t, s.thrift, net.JoinHostPort(host, port))
	check := func(t *testing.T, got *tstatus, address *taddress) {
		require.Equal(t, status.TStatusCode_NOT_MASTER, got.StatusCode)
		require.Equal(t, []string{"FE is not master"}, got.ErrorMsgs)
		require.NotNil(t, address)
		require.Equal(t, host, address.Hostname)
		require.Equal(t, port, itoa(int64(address.Port)))
	}
	for name, m := range feMethods {
		t.Run(name, func(t *testing.T) {
			got, address := m.empty(t, follower)
			check(t, got, address)
		})
	}
	result, err := follower.GetMasterToken(ctx, frontendservice.NewTGetMasterTokenRequest())
	require.NoError(t, err)
	check(t, result.Status, result.MasterAddress)
	require.Nil(t, result.Token)
}

func TestWrongPassword(t *testing.T) {
	s := source(t)
	db := s.database()
	for name, m := range feMethods {
		if name == "beginTxn" || name == "commitTxn" || name == "rollbackTxn" {
			continue // need tables and transactions: below
		}
		t.Run(name, func(t *testing.T) {
			// Some methods match the user against user_ip, which is unset.
			got := m.wrongPassword(t, s, db)
			analysis(t, "Access denied for user '"+user+"@", got)
			require.Contains(t, got.ErrorMsgs[0], "(using password: YES)")
		})
	}
	s.table(db, "t", 1)
	id := s.tableMeta(db, "t").GetID()
	request := beginRequest(db, []int64{id}, newLabel())
	request.Passwd = new("wrong")
	result, err := s.fe.BeginTxn(ctx, request)
	require.NoError(t, err)
	analysis(t, "Access denied for user '"+user+"@", result.Status)
	require.Nil(t, result.TxnID)

	txn := s.begin(db, id)
	commit, err := s.fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: new(user), Passwd: new(""), Db: &db, TxnID: &txn, CommitInfos: []*thrifttypes.TTabletCommitInfo{}})
	require.NoError(t, err)
	analysis(t, "Access denied for user '"+user+"@", commit.Status)
	require.Contains(t, commit.Status.ErrorMsgs[0], "'"+user+"@null' (using password: YES)")
	rollback, err := s.fe.RollbackTxn(ctx, &frontendservice.TRollbackTxnRequest{User: new(user), Passwd: new("wrong"), Db: &db, TxnID: &txn})
	require.NoError(t, err)
	analysis(t, "Access denied for user '"+user+"@", rollback.Status)
	requireOK(t, s.rollback(db, txn))
}

// TestLegacyUserPrefix: default_cluster: is stripped.
func TestLegacyUserPrefix(t *testing.T) {
	s := source(t)
	result, err := s.fe.GetMasterToken(ctx, &frontendservice.TGetMasterTokenRequest{User: new("default_cluster:" + user), Password: new(password)})
	require.NoError(t, err)
	requireOK(t, result.Status)
}
