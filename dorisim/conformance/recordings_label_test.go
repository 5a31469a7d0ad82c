package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
)

// labelReplay asks for the state of labels in the ways that an account with LOAD
// only has (doris-rpc.md 3.10).
type labelReplay struct {
	*side
	*alignment
	cluster        *dorisim.Cluster
	db             int64
	table, tablet  int64
	backend        int64
	user           string
	transactionsOf map[string]int64 // by label
}

// TestRecordingsLabel plays label.json: what tells the state of a label, in every
// state.
func TestRecordingsLabel(t *testing.T) {
	c, s := recordedCluster(t)
	r := &labelReplay{side: s, alignment: newAlignment(), cluster: c, user: "loader", transactionsOf: map[string]int64{}}
	r.exec("CREATE DATABASE lb")
	r.exec("CREATE TABLE lb.t (k INT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 " + oneReplica)
	r.exec("CREATE USER loader")
	r.exec("GRANT LOAD_PRIV ON internal.lb.* TO loader")
	meta, err := r.fe.GetMeta(ctx, &frontendservice.TGetMetaRequest{User: new("root"), Passwd: new(""), Db: &frontendservice.TGetMetaDB{Name: new("lb")}})
	require.NoError(t, err)
	r.db, r.table = meta.DbMeta.GetID(), meta.DbMeta.Tables[0].GetID()
	r.tablet, r.backend = meta.DbMeta.Tables[0].Partitions[0].Indexes[0].Tablets[0].GetID(), r.backendID()
	r.begin("V", nil)
	r.commit("V") // nothing is in it: visible at once
	score := newScore(t, "label.json")
	for i, e := range readRecording[[]struct {
		Name   string          `json:"name"`
		Answer json.RawMessage `json:"answer"`
	}](t, "label.json") {
		recorded, err := decode(e.Answer)
		require.NoError(t, err)
		if text, ok := recorded.(string); ok { // of HTTP
			recorded, err = decode([]byte(text))
			require.NoError(t, err)
		}
		score.add(fmt.Sprintf("%d %s", i, e.Name), r.differences("answer", "", recorded, r.answer(e.Name)))
	}
	score.finish()
}

// answer does what the entry's name says; the label is its second word.
func (r *labelReplay) answer(name string) any {
	r.t.Helper()
	words := strings.Fields(name)
	label := strings.Trim(words[1], ",")
	own, other := &thrifttypes.TUniqueId{Hi: 1, Lo: 1}, &thrifttypes.TUniqueId{Hi: 2, Lo: 2}
	switch {
	case strings.HasPrefix(name, "http "):
		return r.get(words[1])
	case words[0] == "waiting" && label == "open": // begins one
		return r.begin("H", own)
	case words[0] == "waiting":
		return r.waiting(label, strings.Contains(name, "by id"))
	case words[0] == "loadTxnRollback", words[0] == "loadTxn2PC":
		return r.rollbackOf(words[len(words)-1]) // by id: no CCR client aborts by label
	case words[0] == "rollback":
		return r.rollbackOf(label)
	case words[0] == "commit":
		return r.commit(label)
	case strings.HasPrefix(name, "begin V"), strings.Contains(name, "no request id"):
		return r.begin(label, nil)
	case strings.Contains(name, "other request"):
		return r.begin(label, other)
	case strings.HasPrefix(name, "begin "):
		r.user = "loader"
		if strings.Contains(name, "user root") {
			r.user = "root"
		}
		return r.begin(label, own)
	}
	return map[string]any{"transport": "dorisim has no such call"}
}

// backendID is the one backend of a recorded cluster.
func (s *side) backendID() int64 {
	s.t.Helper()
	result, err := s.fe.GetBackendMeta(ctx, &frontendservice.TGetBackendMetaRequest{User: new("root"), Passwd: new("")})
	require.NoError(s.t, err)
	return result.Backends[0].GetID()
}

func (r *labelReplay) begin(label string, id *thrifttypes.TUniqueId) any {
	r.t.Helper()
	result, err := r.fe.BeginTxn(ctx, &frontendservice.TBeginTxnRequest{User: &r.user, Passwd: new(""), Db: new("lb"),
		TableIds: []int64{r.table}, Label: &label, RequestID: id})
	require.NoError(r.t, err)
	if result.TxnID != nil {
		r.transactionsOf[label] = *result.TxnID
	}
	return wireFields(reflect.ValueOf(result))
}

// commit of C names a rowset that was never written: it stays COMMITTED.
func (r *labelReplay) commit(label string) any {
	r.t.Helper()
	id := r.transactionsOf[label]
	request := &frontendservice.TCommitTxnRequest{User: &r.user, Passwd: new(""), Db: new("lb"), TxnID: &id,
		CommitInfos: []*thrifttypes.TTabletCommitInfo{}, ThriftRPCTimeoutMs: new(int64(200))}
	if label == "C" {
		request.CommitInfos = append(request.CommitInfos, &thrifttypes.TTabletCommitInfo{TabletId: r.tablet, BackendId: r.backend})
	}
	result, err := r.fe.CommitTxn(ctx, request)
	require.NoError(r.t, err)
	return wireFields(reflect.ValueOf(result))
}

func (r *labelReplay) rollbackOf(label string) any {
	r.t.Helper()
	id := r.transactionsOf[label]
	result, err := r.fe.RollbackTxn(ctx, &frontendservice.TRollbackTxnRequest{User: &r.user, Passwd: new(""), Db: new("lb"), TxnID: &id})
	require.NoError(r.t, err)
	return wireFields(reflect.ValueOf(result))
}

// waiting asks without any account; by label the reason of a rollback is not told.
func (r *labelReplay) waiting(label string, byID bool) any {
	r.t.Helper()
	request := &frontendservice.TWaitingTxnStatusRequest{DbID: &r.db, Label: &label}
	if byID {
		request.TxnID = new(r.transactionsOf[label])
	}
	result, err := r.fe.WaitingTxnStatus(ctx, request)
	require.NoError(r.t, err)
	return wireFields(reflect.ValueOf(result))
}

func (r *labelReplay) get(path string) any {
	r.t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+r.cluster.FE(0).HTTPAddr()+path, nil)
	require.NoError(r.t, err)
	request.SetBasicAuth("loader", "")
	response, err := http.DefaultClient.Do(request)
	require.NoError(r.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	v, err := decode(text)
	if err != nil {
		return response.Status
	}
	return v
}
