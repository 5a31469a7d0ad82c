package fe_test

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	fs "github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
)

// frontend is a fake FE. Without a handler for a method it does not know it.
type frontend struct {
	endpoint fe.Endpoint

	mu       sync.Mutex
	handlers map[string]func(request any) (any, error)
	calls    []any // requests, in the order of arrival
}

// on sets what the frontend answers to a method. An error closes the connection
// without an answer.
func (f *frontend) on(method string, handler func(request any) (any, error)) *frontend {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers[method] = handler
	return f
}

// says sets a constant answer.
func (f *frontend) says(method string, reply any) *frontend {
	return f.on(method, func(any) (any, error) { return reply, nil })
}

// requests returns what has arrived so far.
func (f *frontend) requests() []any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]any(nil), f.calls...)
}

func answer[R any](f *frontend, method string, request any) (R, error) {
	f.mu.Lock()
	f.calls = append(f.calls, request)
	handler := f.handlers[method]
	f.mu.Unlock()
	reply, err := handler(request)
	if err != nil {
		var none R
		return none, thrift.ErrAbandonRequest
	}
	return reply.(R), nil
}

func (f *frontend) BeginTxn(_ context.Context, r *fs.TBeginTxnRequest) (*fs.TBeginTxnResult_, error) {
	return answer[*fs.TBeginTxnResult_](f, "beginTxn", r)
}
func (f *frontend) CommitTxn(_ context.Context, r *fs.TCommitTxnRequest) (*fs.TCommitTxnResult_, error) {
	return answer[*fs.TCommitTxnResult_](f, "commitTxn", r)
}
func (f *frontend) RollbackTxn(_ context.Context, r *fs.TRollbackTxnRequest) (*fs.TRollbackTxnResult_, error) {
	return answer[*fs.TRollbackTxnResult_](f, "rollbackTxn", r)
}
func (f *frontend) WaitingTxnStatus(_ context.Context, r *fs.TWaitingTxnStatusRequest) (*fs.TWaitingTxnStatusResult_, error) {
	return answer[*fs.TWaitingTxnStatusResult_](f, "waitingTxnStatus", r)
}
func (f *frontend) GetBinlog(_ context.Context, r *fs.TGetBinlogRequest) (*fs.TGetBinlogResult_, error) {
	return answer[*fs.TGetBinlogResult_](f, "getBinlog", r)
}
func (f *frontend) GetBinlogLag(_ context.Context, r *fs.TGetBinlogRequest) (*fs.TGetBinlogLagResult_, error) {
	return answer[*fs.TGetBinlogLagResult_](f, "getBinlogLag", r)
}
func (f *frontend) LockBinlog(_ context.Context, r *fs.TLockBinlogRequest) (*fs.TLockBinlogResult_, error) {
	return answer[*fs.TLockBinlogResult_](f, "lockBinlog", r)
}
func (f *frontend) GetSnapshot(_ context.Context, r *fs.TGetSnapshotRequest) (*fs.TGetSnapshotResult_, error) {
	return answer[*fs.TGetSnapshotResult_](f, "getSnapshot", r)
}
func (f *frontend) RestoreSnapshot(_ context.Context, r *fs.TRestoreSnapshotRequest) (*fs.TRestoreSnapshotResult_, error) {
	return answer[*fs.TRestoreSnapshotResult_](f, "restoreSnapshot", r)
}
func (f *frontend) GetMasterToken(_ context.Context, r *fs.TGetMasterTokenRequest) (*fs.TGetMasterTokenResult_, error) {
	return answer[*fs.TGetMasterTokenResult_](f, "getMasterToken", r)
}
func (f *frontend) GetMeta(_ context.Context, r *fs.TGetMetaRequest) (*fs.TGetMetaResult_, error) {
	return answer[*fs.TGetMetaResult_](f, "getMeta", r)
}
func (f *frontend) GetBackendMeta(_ context.Context, r *fs.TGetBackendMetaRequest) (*fs.TGetBackendMetaResult_, error) {
	return answer[*fs.TGetBackendMetaResult_](f, "getBackendMeta", r)
}

// processor knows only the methods that have a handler, and answers others with
// Doris' text.
type processor struct {
	*fs.FrontendServiceProcessor
	frontend *frontend
}

// startFrontend starts a fake FE that lives as long as the test.
func startFrontend(t *testing.T) *frontend {
	t.Helper()
	f := &frontend{handlers: map[string]func(any) (any, error){}}
	serve(t, f, false)
	return f
}

func serve(t *testing.T, f *frontend, framed bool) {
	t.Helper()
	listener, err := thrift.NewTServerSocket("127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Listen())
	var transports thrift.TTransportFactory = thrift.NewTBufferedTransportFactory(8192)
	if framed {
		transports = thrift.NewTFramedTransportFactoryConf(transports, nil)
	}
	server := thrift.NewTSimpleServer4(processor{fs.NewFrontendServiceProcessor(f), f}, listener, transports, thrift.NewTBinaryProtocolFactoryConf(nil))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve()
	}()
	t.Cleanup(func() {
		_ = server.Stop()
		<-done
	})
	host, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	f.endpoint.Host = host
	f.endpoint.Port, err = strconv.Atoi(port)
	require.NoError(t, err)
}

// Process implements thrift.TProcessor.
func (p processor) Process(ctx context.Context, in, out thrift.TProtocol) (bool, thrift.TException) {
	method, _, seq, err := in.ReadMessageBegin(ctx)
	if err != nil {
		return false, thrift.WrapTException(err)
	}
	p.frontend.mu.Lock()
	_, known := p.frontend.handlers[method]
	p.frontend.mu.Unlock()
	if function, ok := p.GetProcessorFunction(method); ok && known {
		return function.Process(ctx, seq, in, out)
	}
	if err := in.Skip(ctx, thrift.STRUCT); err != nil {
		return false, thrift.WrapTException(err)
	}
	_ = in.ReadMessageEnd(ctx)
	refusal := thrift.NewTApplicationException(thrift.UNKNOWN_METHOD, "Invalid method name: '"+method+"'")
	_ = out.WriteMessageBegin(ctx, method, thrift.EXCEPTION, seq)
	_ = refusal.Write(ctx, out)
	_ = out.WriteMessageEnd(ctx)
	_ = out.Flush(ctx)
	return true, nil
}

// newClient returns a client of the frontends, which knows them in this order.
func newClient(t *testing.T, cfg fe.Config, frontends ...*frontend) *fe.Client {
	t.Helper()
	for _, f := range frontends {
		cfg.Frontends = append(cfg.Frontends, f.endpoint)
	}
	if cfg.User == "" {
		cfg.User, cfg.Password = "root", "secret"
	}
	if cfg.FailoverTimeout == 0 {
		cfg.FailoverTimeout = 1 // one round
	}
	c := fe.New(cfg)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func p[T any](v T) *T { return &v }

var okStatus = &status.TStatus{}

func refuse(code status.TStatusCode, texts ...string) *status.TStatus {
	return &status.TStatus{StatusCode: code, ErrorMsgs: texts}
}

func analysis(text string) *status.TStatus { return refuse(status.TStatusCode_ANALYSIS_ERROR, text) }

func token(s string) *fs.TGetMasterTokenResult_ {
	return &fs.TGetMasterTokenResult_{Status: okStatus, Token: &s}
}

// notMaster is a follower's answer to getMasterToken.
func notMaster(address *types.TNetworkAddress) *fs.TGetMasterTokenResult_ {
	return &fs.TGetMasterTokenResult_{Status: refuse(status.TStatusCode_NOT_MASTER, "FE is not master"), MasterAddress: address}
}

func (f *frontend) address() *types.TNetworkAddress {
	return &types.TNetworkAddress{Hostname: f.endpoint.Host, Port: int32(f.endpoint.Port)}
}
