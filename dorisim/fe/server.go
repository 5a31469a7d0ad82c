// Package fe serves the FrontendService of one simulated frontend over the
// cluster's Core (doris-rpc.md chapter 3).
package fe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/thriftserver"
)

// Config of a Server. Core and Backup are required.
type Config struct {
	Core   *core.Core
	Backup *backup.Manager
	// Frontend is the index of this frontend among Core.Frontends.
	Frontend int
	// Framed is the THREADED_SELECTOR flavour (doris-rpc.md 1.1).
	Framed bool
	// Disabled are methods that answer UNKNOWN_METHOD, as an older FE does.
	Disabled []string
	Logger   *slog.Logger
}

// Server is one frontend's Thrift port.
type Server struct{ thrift *thriftserver.Server }

// NewServer returns a server that does not listen yet.
func NewServer(cfg Config) *Server {
	s := &service{core: cfg.Core, backup: cfg.Backup, index: cfg.Frontend, has: featuresOf(cfg.Core.Version())}
	processor := frontendservice.NewFrontendServiceProcessor(s)
	for _, method := range cfg.Disabled {
		delete(processor.ProcessorMap(), method)
	}
	if !s.has.lockBinlog {
		delete(processor.ProcessorMap(), "lockBinlog")
	}
	return &Server{thrift: thriftserver.New(processor, thriftserver.Options{
		Framed: cfg.Framed, MaxMessageSize: maxMessageSize(cfg.Core), Logger: cfg.Logger,
	})}
}

// maxMessageSize is a setting that an FE reads when it starts.
func maxMessageSize(c *core.Core) int32 {
	n, err := strconv.ParseInt(c.FEConfig("thrift_max_message_size"), 10, 32)
	if err != nil || n <= 0 {
		return thriftserver.DefaultMaxMessageSize
	}
	return int32(n)
}

// Serve accepts connections until Close, and closes l.
func (s *Server) Serve(l net.Listener) error { return s.thrift.Serve(l) }

// Close drops the listener and all connections, and waits for running calls.
func (s *Server) Close() { s.thrift.Close() }

// features are what an FE of a version has (doris-rpc.md 9).
type features struct {
	lockBinlog, batches, droppedMaps, lagDetails, onlyCommit, subTxns, compression, snapshotPosition, tableType bool
	// javaLists: getMeta prints LIST ranges as a Java list (doris-rpc.md 3.3.1).
	javaLists bool
	// emptyMaster: while no master is known its address is sent empty.
	emptyMaster bool
}

func featuresOf(v core.Version) features {
	if v == core.VersionNew {
		return features{
			lockBinlog: true, batches: true, droppedMaps: true, lagDetails: true, onlyCommit: true, subTxns: true,
			compression: true, snapshotPosition: true, tableType: true,
		}
	}
	return features{subTxns: v != core.Version21, compression: v == core.VersionM24, javaLists: true, emptyMaster: true}
}

// service implements frontendservice.FrontendService.
type service struct {
	core   *core.Core
	backup *backup.Manager
	index  int
	has    features
}

// replyFunc makes a reply that holds a status only.
type replyFunc[T any] func(*status.TStatus, *types.TNetworkAddress) *T

// answer runs one call of a method that only the master serves: fault points,
// delays, the master check, and the translation of errors (doris-rpc.md 3).
func answer[T any](ctx context.Context, s *service, method string, reply replyFunc[T], do func() (*T, error)) (*T, error) {
	return serve(ctx, s, method, reply, func() (*T, error) {
		if s.core.Master() != s.index {
			return reply(&status.TStatus{StatusCode: status.TStatusCode_NOT_MASTER, ErrorMsgs: []string{"FE is not master"}}, s.masterAddress()), nil
		}
		return do()
	})
}

// serve is answer without the master check.
func serve[T any](ctx context.Context, s *service, method string, reply replyFunc[T], do func() (*T, error)) (*T, error) {
	point := "fe." + method
	s.core.Calls.Thrift(method)
	if err := faults.Sleep(ctx, s.core.Profile().RPC); err != nil {
		return nil, thriftserver.ErrDropConnection
	}
	if err := s.strike(ctx, s.core.Faults().Before, point); err != nil {
		var failure *faults.Failure
		if errors.As(err, &failure) {
			return reply(&status.TStatus{StatusCode: status.TStatusCode_INTERNAL_ERROR, ErrorMsgs: []string{failure.Error()}}, nil), nil
		}
		if errors.Is(err, faults.ErrEmpty) {
			return reply(&status.TStatus{StatusCode: status.TStatusCode_OK}, nil), nil
		}
		return nil, thriftserver.ErrDropConnection
	}
	result, err := do()
	if err != nil {
		result = reply(statusOf(err), nil)
	}
	if s.strike(ctx, s.core.Faults().After, point) != nil {
		return nil, thriftserver.ErrDropConnection
	}
	return result, nil
}

// strike asks the rules for a point with and without the frontend's index:
// "fe.commitTxn" and "fe.commitTxn@0".
func (s *service) strike(ctx context.Context, rules func(context.Context, string) error, point string) error {
	if err := rules(ctx, point); err != nil {
		return err
	}
	return rules(ctx, fmt.Sprintf("%s@%d", point, s.index))
}

// masterAddress is where clients are sent; while there is no master it is unset
// or, by older FEs, empty.
func (s *service) masterAddress() *types.TNetworkAddress {
	index := s.core.Master()
	if index < 0 {
		if s.has.emptyMaster {
			return &types.TNetworkAddress{}
		}
		return nil
	}
	master, _ := s.core.Frontend(index)
	return &types.TNetworkAddress{Hostname: master.Host, Port: int32(master.RPCPort)}
}

func ok() *status.TStatus { return &status.TStatus{StatusCode: status.TStatusCode_OK} }

func code(c status.TStatusCode) *status.TStatus { return &status.TStatus{StatusCode: c} }

// codeError is an error with a status code of its own.
type codeError struct {
	code status.TStatusCode
	text string
}

// Error implements error.
func (e *codeError) Error() string { return e.text }

// statusOf translates an error: checked ones are ANALYSIS_ERROR, all others
// INTERNAL_ERROR (doris-rpc.md 3, rule 4).
func statusOf(err error) *status.TStatus {
	var coded *codeError
	var checked *core.Error
	var snapshot *backup.SnapshotError
	st := &status.TStatus{StatusCode: status.TStatusCode_INTERNAL_ERROR, ErrorMsgs: []string{err.Error()}}
	switch {
	case errors.As(err, &coded):
		st.StatusCode = coded.code
	case errors.As(err, &snapshot) && snapshot.Expired:
		st.StatusCode = status.TStatusCode_SNAPSHOT_EXPIRED
	case errors.As(err, &snapshot):
		st.StatusCode = status.TStatusCode_SNAPSHOT_NOT_EXIST
	case errors.As(err, &checked):
		st.StatusCode = status.TStatusCode_ANALYSIS_ERROR
		st.ErrorMsgs = []string{checked.Error()}
	}
	return st
}

// pointer returns a pointer to a copy of v, for optional fields.
func pointer[T any](v T) *T { return &v }
