package conformance

import (
	"net"
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/dorisim"
)

// TestFramed is the THREADED_SELECTOR flavour of doris-rpc.md 1.1.
func TestFramed(t *testing.T) {
	c, err := dorisim.Start(ctx, dorisim.Config{Framed: true, RootPassword: password})
	require.NoError(t, err)
	defer c.Close()
	conf := &thrift.TConfiguration{SocketTimeout: patience}
	transport := thrift.NewTFramedTransportConf(thrift.NewTSocketConf(c.FE(0).ThriftAddr(), conf), conf)
	require.NoError(t, transport.Open())
	defer transport.Close()
	fe := frontendservice.NewFrontendServiceClientFactory(transport, thrift.NewTBinaryProtocolFactoryConf(conf))
	result, err := fe.GetMasterToken(ctx, &frontendservice.TGetMasterTokenRequest{User: new(user), Password: new(password)})
	require.NoError(t, err)
	requireOK(t, result.Status)
}

// TestOldServer lacks lockBinlog.
func TestOldServer(t *testing.T) {
	_, s := private(t, func(cfg *dorisim.Config) { cfg.Disabled = []string{"lockBinlog"} })
	_, err := s.fe.LockBinlog(ctx, frontendservice.NewTLockBinlogRequest())
	var x thrift.TApplicationException
	require.ErrorAs(t, err, &x)
	require.EqualValues(t, thrift.UNKNOWN_METHOD, x.TypeId())
}

// TestPrivateAddresses: everything a server tells is a private address; only
// the host mapping leads to it (doris-rpc.md 5.4).
func TestPrivateAddresses(t *testing.T) {
	c, s := private(t, func(cfg *dorisim.Config) { cfg.AdvertisePrefix = "10.66.0." })
	mapping := c.HostMapping()
	hosts := []string{}
	for _, b := range s.backends() {
		hosts = append(hosts, b.Host)
	}
	for _, fe := range s.query("SHOW FRONTENDS") {
		hosts = append(hosts, fe["Host"])
	}
	for _, r := range s.query("SHOW BACKENDS") {
		hosts = append(hosts, r["Host"])
	}
	result, err := frontend(t, c.FE(1).ThriftAddr()).GetMasterToken(ctx, frontendservice.NewTGetMasterTokenRequest())
	require.NoError(t, err)
	hosts = append(hosts, result.MasterAddress.Hostname)
	require.Len(t, hosts, 9)
	for _, h := range hosts {
		require.Regexp(t, `^10\.66\.0\.\d+$`, h)
		require.NotEmpty(t, mapping[h])
	}
	public := net.JoinHostPort(mapping[result.MasterAddress.Hostname], itoa(int64(result.MasterAddress.Port)))
	requireOK(t, connectStatus(t, public))
}

func connectStatus(t *testing.T, addr string) *tstatus {
	t.Helper()
	result, err := frontend(t, addr).GetMasterToken(ctx, &frontendservice.TGetMasterTokenRequest{User: new(user), Password: new(password)})
	require.NoError(t, err)
	return result.Status
}
