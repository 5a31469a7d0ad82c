package problem

import (
	"errors"

	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// LoginRefused is MySQL's code for a wrong user or password.
const LoginRefused = 1045

// LacksPrivilege tells refusals for want of a privilege from those of a wrong
// password.
func LacksPrivilege(err error) bool {
	var refused *sqlclient.Error
	return errors.Is(err, sqlclient.ErrAccessDenied) && errors.As(err, &refused) && refused.Code != LoginRefused
}
