package sql

import (
	"crypto/subtle"
	"crypto/x509"
	"net"

	"github.com/dolthub/vitess/go/mysql"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
)

// authServer checks passwords by mysql_native_password against Core.Users.
type authServer struct{ server *Server }

// AuthMethods implements mysql.AuthServer.
func (a authServer) AuthMethods() []mysql.AuthMethod {
	return []mysql.AuthMethod{mysql.NewMysqlNativeAuthMethod(a, a)}
}

// DefaultAuthMethodDescription implements mysql.AuthServer.
func (authServer) DefaultAuthMethodDescription() mysql.AuthMethodDescription {
	return mysql.MysqlNativePassword
}

// HandleUser implements mysql.UserValidator: unknown users fail later, like
// wrong passwords.
func (authServer) HandleUser(string, net.Addr) bool { return true }

// UserEntryWithHash implements mysql.HashStorage.
func (a authServer) UserEntryWithHash(_ []*x509.Certificate, salt []byte, name string, response []byte, remote net.Addr) (mysql.Getter, error) {
	host, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		host = remote.String()
	}
	user, ok := a.server.core.Users.Get(name)
	if ok && user.From(host) {
		want := mysql.ScrambleMysqlNativePassword(salt, []byte(user.Password))
		if subtle.ConstantTimeCompare(response, want) == 1 {
			return authenticated(user.Name), nil
		}
	}
	// Doris says that there was a password even if it was empty.
	return nil, mysql.NewSQLError(mysql.ERAccessDeniedError, mysql.SSAccessDeniedError,
		"Access denied for user '%s@%s' (using password: YES)", name, host)
}

// authenticated is the name of a user whose password was right.
type authenticated string

// Get implements mysql.Getter.
func (a authenticated) Get() *querypb.VTGateCallerID {
	return &querypb.VTGateCallerID{Username: string(a)}
}
