// Package keyfile reads files that hold keys. One that everybody on the machine can
// read is refused, as ssh does: a key that others know protects nothing, and nobody
// would notice.
package keyfile

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrLoosePermissions: others on the machine could read or change the file.
var ErrLoosePermissions = errors.New("others may read or change it")

// others are the permissions of those who are neither the owner nor in the group.
// The group may read: that is how systemd and Kubernetes give keys to a process.
const others = 0o007

// Read returns what is in the file. The error is ErrLoosePermissions, with what
// helps, if others may read or change it.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode()&others != 0 {
		return nil, fmt.Errorf("%s has the mode %04o: %w (chmod o= %s)", path, info.Mode().Perm(), ErrLoosePermissions, path)
	}
	return io.ReadAll(f)
}
