package pair

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

var errNoTLSHere = errors.New("this process knows no TLS")

// plainSQL is Options.SQLTLS of a process that knows no TLS.
func plainSQL(side job.SideTLS) (*tls.Config, error) {
	if side.TLS != "" && side.TLS != job.TLSOff {
		return nil, errNoTLSHere
	}
	return nil, nil
}

// unusable is the answer of a cluster to which SQL must not go as the job asks. Nothing
// is sent to it by other ways either.
func unusable(side string, err error) error {
	key := "src"
	if side != "source" {
		key = "dest"
	}
	return problem.WithRemedy(fmt.Errorf("%s.tls: %w", key, err), fmt.Sprintf(
		"update_hosts tells a running job another %s.tls, \"\" for what doris-tls says; or have the operator of the workers set doris-tls-min", key))
}
