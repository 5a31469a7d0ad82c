// Package admin is the HTTP port by which a person or a test from outside
// steers a simulated cluster: kill and restart nodes, switch the master, set
// fault rules, collect binlogs, change delays. It listens on loopback only.
package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// Cluster is what can be steered; *dorisim.Cluster is one.
type Cluster interface {
	Name() string
	Core() *core.Core
	Faults() *faults.Set
	KillBE(i int) error
	RestartBE(i int) error
	KillFE(i int) error
	RestartFE(i int) error
	SwitchMaster(i int) error
	CollectBinlogs(database string, upTo int64) error
	StartBE() (index int, address string, err error)
	StartFE() (index int, address string)
	DamageJSON(request []byte) (any, error)
	SetProfile(p core.Profile)
	AdvanceClock(d time.Duration)
}

// Server is a running admin port.
type Server struct {
	cluster  Cluster
	listener net.Listener
	http     *http.Server
	wg       sync.WaitGroup
}

// Start listens on host:port (0: any).
func Start(c Cluster, host string, port int) (*Server, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("admin port: %w", err)
	}
	s := &Server{cluster: c, listener: l}
	s.http = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	s.wg.Go(func() { _ = s.http.Serve(l) }) // ends with ErrServerClosed
	return s, nil
}

// Addr is where the port listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close stops the port.
func (s *Server) Close() error {
	err := s.http.Close()
	s.wg.Wait()
	return err
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.help)
	mux.HandleFunc("GET /status", s.status)
	node := func(path string, act func(int) error) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			i, err := number(r, "i")
			if err == nil {
				err = act(i)
			}
			answer(w, done{true}, err)
		})
	}
	node("/be/{i}/kill", s.cluster.KillBE)
	node("/be/{i}/restart", s.cluster.RestartBE)
	node("/fe/{i}/kill", s.cluster.KillFE)
	node("/fe/{i}/restart", s.cluster.RestartFE)
	node("/fe/{i}/master", s.cluster.SwitchMaster)
	mux.HandleFunc("POST /be/start", func(w http.ResponseWriter, _ *http.Request) {
		i, address, err := s.cluster.StartBE()
		answer(w, map[string]any{"index": i, "address": address}, err)
	})
	mux.HandleFunc("POST /fe/start", func(w http.ResponseWriter, _ *http.Request) {
		i, address := s.cluster.StartFE()
		answer(w, map[string]any{"index": i, "address": address}, nil)
	})
	mux.HandleFunc("POST /replica/break", reading(s.breakReplica))
	mux.HandleFunc("POST /damage", reading(func(body json.RawMessage) (any, error) { return s.cluster.DamageJSON(body) }))
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.rules(), nil) })
	mux.HandleFunc("POST /faults", reading(s.addFault))
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.cluster.Faults().Clear()
		answer(w, s.rules(), nil)
	})
	mux.HandleFunc("DELETE /faults/{i}", s.removeFault)
	mux.HandleFunc("POST /binlogs/collect", reading(s.collect))
	mux.HandleFunc("POST /binlogs/late", reading(s.late))
	mux.HandleFunc("POST /binlogs/file", func(w http.ResponseWriter, _ *http.Request) {
		s.cluster.Core().FileBinlogs()
		answer(w, done{true}, nil)
	})
	mux.HandleFunc("POST /profile", reading(s.profile))
	mux.HandleFunc("POST /clock", reading(s.clock))
	return mux
}

func (s *Server) rules() []faults.Rule { return append([]faults.Rule{}, s.cluster.Faults().List()...) }

// status lists the nodes.
func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	c := s.cluster.Core()
	answer(w, map[string]any{
		"name": s.cluster.Name(), "master": c.Master(), "profile": c.Profile(), "last_journal": c.LastJournal(),
		"frontends": c.Frontends(), "backends": c.Backends(), "faults": s.rules(),
		"late_binlogs": lateOf(c.LateFiling()), "unfiled_binlogs": c.UnfiledBinlogs(),
		"calls": c.Calls.Counts(),
	}, nil)
}

func (s *Server) addFault(rule faults.Rule) (any, error) {
	rule.MayNotStrike = true // who adds it here looks at its hits
	_, err := s.cluster.Faults().Add(rule)
	return s.rules(), err
}

func (s *Server) removeFault(w http.ResponseWriter, r *http.Request) {
	id, err := number(r, "i")
	if err == nil && !s.cluster.Faults().Remove(id) {
		err = fmt.Errorf("there is no fault rule %d", id)
	}
	answer(w, s.rules(), err)
}

// oneReplica is {"tablet": 10021, "backend": 10002}.
type oneReplica struct {
	Tablet  int64 `json:"tablet"`
	Backend int64 `json:"backend"`
}

func (s *Server) breakReplica(body oneReplica) (any, error) {
	return done{true}, s.cluster.Core().BreakReplica(body.Tablet, body.Backend)
}

// binlogsUpTo is {"database": "d", "up_to": 5123}; without up_to everything goes.
type binlogsUpTo struct {
	Database string `json:"database"`
	UpTo     int64  `json:"up_to"`
}

func (s *Server) collect(body binlogsUpTo) (any, error) {
	return done{true}, s.cluster.CollectBinlogs(body.Database, body.UpTo)
}

// lateBinlogs is core.LateFiling on the wire: {"percent": 30, "max_ms": 100,
// "seed": 7}.
type lateBinlogs struct {
	Percent int     `json:"percent"`
	Max     float64 `json:"max_ms"`
	Seed    uint64  `json:"seed,omitempty"`
}

func lateOf(l core.LateFiling) lateBinlogs {
	return lateBinlogs{Percent: l.Percent, Max: float64(l.Max) / float64(time.Millisecond), Seed: l.Seed}
}

func (s *Server) late(body lateBinlogs) (any, error) {
	if body.Percent < 0 || body.Percent > 100 || body.Max < 0 {
		return nil, errors.New("percent is 0 to 100, max_ms 0 or more")
	}
	s.cluster.Core().SetLateFiling(core.LateFiling{
		Percent: body.Percent, Max: time.Duration(body.Max * float64(time.Millisecond)), Seed: body.Seed,
	})
	return lateOf(s.cluster.Core().LateFiling()), nil
}

// delays are the name of a profile, or single delays in milliseconds on top of
// one.
type delays struct {
	Name        string   `json:"name"`
	RPC         *float64 `json:"rpc_ms"`
	Begin       *float64 `json:"begin_ms"`
	Ingest      *float64 `json:"ingest_ms"`
	Commit      *float64 `json:"commit_ms"`
	Publish     *float64 `json:"publish_ms"`
	BackupTick  *float64 `json:"backup_tick_ms"`
	RestoreTick *float64 `json:"restore_tick_ms"`
	AlterTick   *float64 `json:"alter_tick_ms"`
	Clone       *float64 `json:"clone_ms"`
}

func (s *Server) profile(body delays) (any, error) {
	p := s.cluster.Core().Profile()
	if body.Name != "" {
		var err error
		if p, err = core.ProfileByName(body.Name); err != nil {
			return nil, err
		}
	}
	set := func(d *time.Duration, ms *float64) {
		if ms != nil && *ms >= 0 {
			*d = time.Duration(*ms * float64(time.Millisecond))
		}
	}
	set(&p.RPC, body.RPC)
	set(&p.Begin, body.Begin)
	set(&p.Ingest, body.Ingest)
	set(&p.Commit, body.Commit)
	set(&p.Publish, body.Publish)
	set(&p.BackupTick, body.BackupTick)
	set(&p.RestoreTick, body.RestoreTick)
	set(&p.AlterTick, body.AlterTick)
	set(&p.Clone, body.Clone)
	s.cluster.SetProfile(p)
	return p, nil
}

// later is {"advance_seconds": 3600}.
type later struct {
	Seconds int64 `json:"advance_seconds"`
}

func (s *Server) clock(body later) (any, error) {
	if body.Seconds < 0 {
		return nil, errors.New("the clock only moves forward")
	}
	s.cluster.AdvanceClock(time.Duration(body.Seconds) * time.Second)
	return map[string]any{"now": s.cluster.Core().Now()}, nil
}

// number reads a part of the path.
func number(r *http.Request, name string) (int, error) {
	n, err := strconv.Atoi(r.PathValue(name))
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", r.PathValue(name))
	}
	return n, nil
}

// maxBody bounds what the port reads.
const maxBody = 1 << 20

func decode(r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	return nil
}

// reading answers with what act makes of the request.
func reading[T any](act func(T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		err := decode(r, &body)
		var value any
		if err == nil {
			value, err = act(body)
		}
		answer(w, value, err)
	}
}

// done is the answer to what has no other.
type done struct {
	OK bool `json:"ok"`
}

func answer(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		value = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(value) // the client is gone
}
