package conformance

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
)

// recordedAccounts are the accounts of priv.json in the order in which each ran
// all statements: with a privilege on the database pv, or, g:, everywhere.
var recordedAccounts = []string{"NONE", "SELECT_PRIV", "LOAD_PRIV", "ALTER_PRIV", "CREATE_PRIV", "DROP_PRIV", "SHOW_VIEW_PRIV",
	"g:ADMIN_PRIV", "g:NODE_PRIV", "g:SELECT_PRIV", "g:LOAD_PRIV", "ALL"}

func accountName(account string) string {
	return "u_" + strings.ToLower(strings.ReplaceAll(account, ":", "_"))
}

// privReplay runs each statement and each call of priv.json as each account.
type privReplay struct {
	*side
	cluster   *dorisim.Cluster
	base      int64 // the table pv.base
	dbID, txn int64
}

func TestRecordingsPrivileges(t *testing.T) {
	c, s := recordedCluster(t)
	r := &privReplay{side: s, cluster: c}
	r.prepare()
	recorded := readRecording[map[string]map[string]string](t, "priv.json")
	order := recordedKeys(t, "priv.json")
	found := map[string][]string{}
	for n, account := range recordedAccounts {
		as := *s
		as.db = openAs(t, c.FE(0).MySQLAddr(), accountName(account), "")
		first := 0
		for i, statement := range order {
			if strings.HasPrefix(statement, "BACKUP ") {
				first = i
			}
			number := 30*n + i - first + 1
			got := ""
			if call, ok := strings.CutPrefix(statement, "rpc "); ok {
				got = r.rpc(call, accountName(account))
			} else {
				got = r.run(&as, statement, number)
			}
			want := recorded[statement][account]
			if plain(statement, got) != plain(statement, want) {
				found[statement] = append(found[statement], fmt.Sprintf("as %s: recorded %s, dorisim has %s", account, want, got))
			}
		}
	}
	score := newScore(t, "priv.json")
	for _, statement := range order {
		score.add(statement, found[statement])
	}
	score.finish()
}

func (r *privReplay) prepare() {
	r.exec("CREATE DATABASE pv")
	r.exec(`ALTER DATABASE pv SET PROPERTIES ("binlog.enable" = "true")`)
	r.createTable("base")
	r.exec("CREATE VIEW pv.vw AS SELECT k FROM pv.base")
	for _, account := range recordedAccounts {
		r.exec("CREATE USER %s", accountName(account))
		switch privilege, global := strings.CutPrefix(account, "g:"); {
		case account == "NONE":
		case account == "ALL":
			r.exec("GRANT SELECT_PRIV, LOAD_PRIV, ALTER_PRIV, CREATE_PRIV, DROP_PRIV, SHOW_VIEW_PRIV ON internal.pv.* TO %s", accountName(account))
		case global:
			r.exec("GRANT %s ON *.*.* TO %s", privilege, accountName(account))
		default:
			r.exec("GRANT %s ON internal.pv.* TO %s", privilege, accountName(account))
		}
	}
	meta, err := r.fe.GetMeta(ctx, &frontendservice.TGetMetaRequest{User: new("root"), Passwd: new(""), Db: &frontendservice.TGetMetaDB{Name: new("pv")}})
	require.NoError(r.t, err)
	r.dbID, r.base = meta.DbMeta.GetID(), meta.DbMeta.Tables[0].GetID()
}

func (r *privReplay) createTable(name string) {
	r.exec("CREATE TABLE pv.%s (k INT, v INT, s VARCHAR(10), INDEX ix (s) USING INVERTED) DUPLICATE KEY(k) "+
		`PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ("10")) DISTRIBUTED BY HASH(k) BUCKETS 1 `+oneReplica, name)
}

// run gives the statement tables of its own and runs it as the account; what an
// account was allowed to begin is ended by root.
func (r *privReplay) run(as *side, statement string, number int) string {
	r.t.Helper()
	t := "t" + strconv.Itoa(number)
	text := strings.NewReplacer("{t}", t, "{s}", "s"+strconv.Itoa(number), "{n}", strconv.Itoa(number)).Replace(statement)
	if strings.Contains(statement, "pv.{t}") {
		r.createTable(t)
	}
	if strings.Contains(statement, "{s}") {
		r.createTable("s" + strconv.Itoa(number))
	}
	if strings.Contains(statement, "pv.w_{t}") {
		r.exec("CREATE VIEW pv.w_%s AS SELECT k FROM pv.base", t)
	}
	if strings.HasPrefix(statement, "BACKUP ") {
		hold := holdAt(r.t, r.cluster, "backup.PENDING")
		defer func() {
			_, _ = r.db.ExecContext(ctx, "CANCEL BACKUP FROM pv")
			r.cluster.Faults().Remove(hold)
		}()
	}
	rows, err := as.db.QueryContext(ctx, text)
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) {
		return fmt.Sprintf("ERR [%d, %s]", refusal.Number, refusal.Message)
	}
	require.NoError(r.t, err, text)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(r.t, err)
	n := 0
	for rows.Next() {
		n++
	}
	require.NoError(r.t, rows.Err())
	if len(columns) == 0 {
		return "ok"
	}
	return "rows " + strconv.Itoa(n)
}

var (
	quotedText = regexp.MustCompile(`^ERR \[(\d+), (?:'(.*)'|"(.*)")\]$`)
	countsRows = regexp.MustCompile(`^(SHOW DATABASES|SHOW TABLES|SHOW TABLE STATUS)`)
)

// plain writes answers of both sides alike: Python's quotes are taken off, and
// numbers of rows count only for what an account may see.
func plain(statement, answer string) string {
	answer = strings.ReplaceAll(strings.TrimSuffix(answer, " None"), `\n`, "\n")
	if m := quotedText.FindStringSubmatch(answer); m != nil {
		answer = "ERR [" + m[1] + ", " + strings.ReplaceAll(m[2]+m[3], `\'`, `'`) + "]"
	}
	if n, ok := strings.CutPrefix(answer, "rows "); ok {
		switch {
		case !countsRows.MatchString(statement):
			return "rows"
		case n != "0":
			return "rows > 0"
		}
	}
	return answer
}

// rpc makes one call as the account.
func (r *privReplay) rpc(call, name string) string {
	r.t.Helper()
	user, pw, db, base := &name, new(""), new("pv"), new("base")
	binlog := &frontendservice.TGetBinlogRequest{User: user, Passwd: pw, Db: db, PrevCommitSeq: new(int64(0))}
	meta := &frontendservice.TGetMetaDB{Name: db}
	answered := func(s *status.TStatus, err error) string {
		r.t.Helper()
		require.NoError(r.t, err, call)
		if len(s.ErrorMsgs) == 0 {
			return s.StatusCode.String()
		}
		return fmt.Sprintf("%s ['%s']", s.StatusCode, s.ErrorMsgs[0])
	}
	switch call {
	case "getBinlog table":
		binlog.Table = base
	case "getBinlog table_id":
		binlog.Table, binlog.TableID = base, &r.base
	case "getMeta names":
		meta.OnlyTableNames = new(true)
	case "getMeta table":
		meta.Tables = []*frontendservice.TGetMetaTable{{Name: base}}
	}
	switch strings.Fields(call)[0] {
	case "getBinlog":
		result, err := r.fe.GetBinlog(ctx, binlog)
		return answered(result.GetStatus(), err)
	case "getBinlogLag":
		result, err := r.fe.GetBinlogLag(ctx, binlog)
		return answered(result.GetStatus(), err)
	case "getMeta":
		result, err := r.fe.GetMeta(ctx, &frontendservice.TGetMetaRequest{User: user, Passwd: pw, Db: meta})
		return answered(result.GetStatus(), err)
	case "getBackendMeta":
		result, err := r.fe.GetBackendMeta(ctx, &frontendservice.TGetBackendMetaRequest{User: user, Passwd: pw})
		return answered(result.GetStatus(), err)
	case "getMasterToken":
		result, err := r.fe.GetMasterToken(ctx, &frontendservice.TGetMasterTokenRequest{User: user, Password: pw})
		return answered(result.GetStatus(), err)
	case "getSnapshot":
		result, err := r.fe.GetSnapshot(ctx, &frontendservice.TGetSnapshotRequest{User: user, Passwd: pw, Db: db, LabelName: new("l"),
			SnapshotName: new(""), SnapshotType: new(frontendservice.TSnapshotType_REMOTE)})
		return answered(result.GetStatus(), err)
	case "restoreSnapshot":
		result, err := r.fe.RestoreSnapshot(ctx, &frontendservice.TRestoreSnapshotRequest{User: user, Passwd: pw, Db: db, LabelName: new("l"),
			RepoName: new("__keep_on_local__"), Properties: map[string]string{}, Meta: []byte("x"), JobInfo: []byte("{}")})
		return answered(result.GetStatus(), err)
	case "waitingTxnStatus":
		result, err := r.fe.WaitingTxnStatus(ctx, &frontendservice.TWaitingTxnStatusRequest{DbID: &r.dbID, Label: new("nothing")})
		return answered(result.GetStatus(), err)
	}
	return r.transaction(call, user, answered)
}

// transaction begins as the account; what is committed and rolled back is root's.
func (r *privReplay) transaction(call string, user *string, answered func(*status.TStatus, error) string) string {
	r.t.Helper()
	begin := &frontendservice.TBeginTxnRequest{User: user, Passwd: new(""), Db: new("pv"), TableIds: []int64{r.base}, Label: new(newLabel())}
	switch call {
	case "beginTxn":
		result, err := r.fe.BeginTxn(ctx, begin)
		return answered(result.GetStatus(), err)
	case "commitTxn":
		begin.User = new("root")
		result, err := r.fe.BeginTxn(ctx, begin)
		require.NoError(r.t, err)
		r.txn = result.GetTxnID()
		commit, err := r.fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: user, Passwd: new(""), Db: new("pv"), TxnID: &r.txn,
			CommitInfos: []*thrifttypes.TTabletCommitInfo{}})
		return answered(commit.GetStatus(), err)
	case "rollbackTxn":
		result, err := r.fe.RollbackTxn(ctx, &frontendservice.TRollbackTxnRequest{User: user, Passwd: new(""), Db: new("pv"), TxnID: &r.txn})
		return answered(result.GetStatus(), err)
	}
	require.Fail(r.t, "the replay does not know the call", call)
	return ""
}
