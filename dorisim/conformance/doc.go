// Package conformance holds tests only: they start simulated clusters and talk
// to them through their sockets, as a client that knows nothing of the simulator
// would, with raw Thrift, raw MySQL and raw HTTP. A file covers one chapter of
// the reference: rpc_3_4_binlog_test.go is doris-rpc.md 3.4.
package conformance
