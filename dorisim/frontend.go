package dorisim

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/fe"
	"github.com/doris-ccr/ccr/dorisim/port"
	"github.com/doris-ccr/ccr/dorisim/sql"
)

// Frontend is one FE of a cluster: a MySQL, a Thrift and an HTTP port.
type Frontend struct {
	cluster *Cluster
	index   int
	host    string
	log     *slog.Logger

	mu                 sync.Mutex
	mysql, thrift, web int // ports, kept over restarts
	process            *frontendProcess
}

// frontendProcess is one run of an FE between start and kill.
type frontendProcess struct {
	mysql  *sql.Server
	thrift *fe.Server
	web    *http.Server
	wg     sync.WaitGroup
}

// MySQLAddr is where the MySQL port listens.
func (f *Frontend) MySQLAddr() string { return f.addr(&f.mysql) }

// ThriftAddr is where the Thrift port listens.
func (f *Frontend) ThriftAddr() string { return f.addr(&f.thrift) }

// HTTPAddr is where the HTTP port listens.
func (f *Frontend) HTTPAddr() string { return f.addr(&f.web) }

func (f *Frontend) addr(port *int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return net.JoinHostPort(f.host, strconv.Itoa(*port))
}

// Alive tells whether the FE runs.
func (f *Frontend) Alive() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.process != nil
}

// start opens the ports; a running FE stays as it is.
func (f *Frontend) start() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.process != nil {
		return nil
	}
	listeners, err := f.listen()
	if err != nil {
		return err
	}
	c := f.cluster
	p := &frontendProcess{
		mysql:  sql.NewServer(sql.Config{Core: c.core, Backup: c.backup, DDL: c.ddl, Frontend: f.index, TLS: c.cfg.TLS, Logger: f.log}),
		thrift: fe.NewServer(fe.Config{Core: c.core, Backup: c.backup, Frontend: f.index, Framed: c.cfg.Framed, Disabled: c.cfg.Disabled, Logger: f.log}),
		web:    &http.Server{Handler: f.handler(), ReadHeaderTimeout: 10 * time.Second},
	}
	f.process = p
	f.serve("MySQL", func() error { return p.mysql.Serve(listeners[0]) })
	f.serve("Thrift", func() error { return p.thrift.Serve(listeners[1]) })
	f.serve("HTTP", func() error { return p.web.Serve(listeners[2]) })
	c.core.UpdateFrontend(f.index, func(info *core.FrontendInfo) {
		info.QueryPort, info.RPCPort, info.HTTPPort = f.mysql, f.thrift, f.web
		info.Alive, info.LastStart = true, c.core.Now()
	})
	return nil
}

// serve runs one server of the process. It needs f.mu.
func (f *Frontend) serve(name string, serve func() error) {
	f.process.wg.Go(func() {
		err := serve()
		if err != nil && !errors.Is(err, sql.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			f.log.Error("frontend port stopped", "port", name, "error", err)
		}
	})
}

func (f *Frontend) listen() ([]net.Listener, error) {
	var listeners []net.Listener
	for _, number := range []*int{&f.mysql, &f.thrift, &f.web} {
		l, err := port.Listen(f.host, *number)
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, fmt.Errorf("frontend %d: %w", f.index, err)
		}
		if a, ok := l.Addr().(*net.TCPAddr); ok {
			*number = a.Port
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// kill drops ports and connections at once.
func (f *Frontend) kill() {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.process
	if p == nil {
		return
	}
	f.process = nil
	f.cluster.core.DebugPoints().Clear(f.index)
	f.cluster.core.UpdateFrontend(f.index, func(info *core.FrontendInfo) { info.Alive = false })
	_ = p.web.Close()
	p.thrift.Close()
	p.mysql.Close()
	p.wg.Wait()
}

// handler serves the few FE HTTP calls that tools use to see whether an FE is up.
func (f *Frontend) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", func(w http.ResponseWriter, _ *http.Request) {
		online := 0
		backends := f.cluster.core.Backends()
		for _, b := range backends {
			if b.Alive {
				online++
			}
		}
		reply(w, map[string]any{"online_backend_num": online, "total_backend_num": len(backends)})
	})
	mux.HandleFunc("GET /api/bootstrap", func(w http.ResponseWriter, _ *http.Request) { reply(w, nil) })
	mux.HandleFunc("GET /api/{db}/get_load_state", f.loadState)
	f.debugRoutes(mux)
	return mux
}

// loadState tells an account with LOAD on the database what became of a label
// (doris-rpc.md 3.10).
func (f *Frontend) loadState(w http.ResponseWriter, r *http.Request) {
	c := f.cluster.core
	name, password, _ := r.BasicAuth()
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	user, ok := c.Users.Check(name, password, host)
	if !ok || !user.May(core.LoadPriv, r.PathValue("db"), "") {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	c.RLock()
	db, ok := c.Database(r.PathValue("db"))
	c.RUnlock()
	if !ok {
		replyCode(w, 1, "Internal Error", "unknown database "+r.PathValue("db"))
		return
	}
	state := core.TxnUnknown
	if txn, known := c.TxnByLabel(db.ID, r.URL.Query().Get("label")); known {
		state = txn.State
	}
	reply(w, string(state))
}

func reply(w http.ResponseWriter, data any) { replyCode(w, 0, "success", data) }

// replyCode answers 200 with a code of Doris in the body, as all of these calls do.
func replyCode(w http.ResponseWriter, code int, msg string, data any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"msg": msg, "code": code, "data": data, "count": 0})
}
