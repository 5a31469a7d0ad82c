package pair

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// Each side has the TLS that it asks for, and a side that may not have it is not asked at
// all: neither in SQL nor by Thrift, which would carry the password.
func TestEachSideHasItsTLS(t *testing.T) {
	errWeak := errors.New("too weak")
	var asked []string
	c := NewConnector(Options{SQLTLS: func(side job.SideTLS) (*tls.Config, error) {
		asked = append(asked, side.TLS)
		if side.TLS == job.TLSOff {
			return nil, errWeak
		}
		return &tls.Config{ServerName: side.TLS}, nil
	}})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	side := func(mode string) job.Cluster {
		return job.Cluster{Host: "192.0.2.1", Port: 1, ThriftPort: 1, User: "u", Database: "d", SideTLS: job.SideTLS{TLS: mode}}
	}
	j := c.Open(job.Spec{Source: side(job.TLSVerifyFull), Destination: side(job.TLSOff)}, Passwords{})
	defer j.Close()
	require.Equal(t, []string{job.TLSVerifyFull, job.TLSOff}, asked)

	ctx := context.Background()
	_, sqlErr := j.Destination.SQL.Query(ctx, "SHOW FRONTENDS")
	_, rpcErr := j.Destination.FE.MasterToken(ctx)
	for _, err := range []error{sqlErr, rpcErr, j.Destination.SQL.Exec(ctx, "DROP TABLE t")} {
		require.ErrorIs(t, err, errWeak)
		require.ErrorContains(t, err, "dest.tls: too weak")
		require.Contains(t, problem.Remedy(err), "update_hosts")
		_, retryable := problem.Classify(err)
		require.False(t, retryable)
	}
}
