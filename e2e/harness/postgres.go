package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// ErrNoPostgres: PostgreSQL is not installed (Debian's package postgresql).
var ErrNoPostgres = errors.New("PostgreSQL is not installed (apt-get install postgresql)")

// Postgres is a PostgreSQL server of a test's own on 127.0.0.1. Its superuser
// postgres needs no password.
type Postgres struct {
	Port int
	dir  string
	cmd  *exec.Cmd
	done chan error
}

// postgresWithin bounds initdb and the start of the server.
const postgresWithin = 60 * time.Second

// StartPostgres runs a new, empty server. It refuses to run as root, so a test
// that does gives it to the user postgres.
func StartPostgres(ctx context.Context) (*Postgres, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return nil, ErrNoPostgres
	}
	bin := filepath.Dir(slices.Max(found))
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	p := &Postgres{Port: ports[0], done: make(chan error, 1)}
	if p.dir, err = os.MkdirTemp("", "ccr-postgres-"); err != nil {
		return nil, fmt.Errorf("directory of PostgreSQL: %w", err)
	}
	attr, err := p.unprivileged()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.dir))
	}
	data := filepath.Join(p.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
	initdb.Dir, initdb.SysProcAttr = p.dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(p.dir))
	}
	p.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(p.Port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+p.dir, "-c", "fsync=off", "-c", "max_connections=400")
	p.cmd.Dir, p.cmd.SysProcAttr = p.dir, attr
	if err := p.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w", err), os.RemoveAll(p.dir))
	}
	go func() { p.done <- p.cmd.Wait() }() // Stop takes it
	err = Await(ctx, postgresWithin, func(ctx context.Context) error {
		ready := exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-h", "127.0.0.1", "-p", strconv.Itoa(p.Port))
		if out, err := ready.CombinedOutput(); err != nil {
			return fmt.Errorf("PostgreSQL is not ready: %w: %s", err, out)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// unprivileged makes the directory, and the processes to come, those of postgres
// if this process is root.
func (p *Postgres) unprivileged() (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPostgres, err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("user postgres: %w", err)
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(p.dir, uid, gid); err != nil {
		return nil, fmt.Errorf("directory of PostgreSQL: %w", err)
	}
	return attr, nil
}

// Addr is the server's host:port.
func (p *Postgres) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)) }

// Stop ends the server at once (its data is not kept) and removes its directory.
func (p *Postgres) Stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT) // "immediate shutdown"
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	return os.RemoveAll(p.dir)
}
