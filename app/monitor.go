package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"sync/atomic"
	"time"

	"zaqar/observe/metrics"
)

// Monitor is the listener for those who watch the server: metrics, health and
// profiles. It is not authenticated.
type Monitor struct {
	Enabled bool
	Bind    string // address or host name
	Port    int64  // 0: any free port
	// Backlog says what the metrics of stored messages tell apart: BacklogTotal,
	// BacklogProject or BacklogQueue.
	Backlog string
	// MaxSeries is how many projects or queues have metrics at most, the
	// largest ones.
	MaxSeries int
	Profiles  bool // offer /debug/pprof/
}

// What Monitor.Backlog may be.
const (
	BacklogTotal   = "total"
	BacklogProject = "project"
	BacklogQueue   = "queue"
)

// monitor serves a Monitor from before the store is opened until after it is
// closed, so that who watches is never without an answer.
type monitor struct {
	registry *metrics.Registry
	listener net.Listener
	server   *http.Server
	phase    atomic.Value // of string: what the server is doing
	checks   atomic.Pointer[[]check]
	log      *slog.Logger
}

// check is a part of the answer to whether the server is ready.
type check struct {
	name string
	// ask returns nil or what is wrong. Errors are logged; the text shown is
	// only "failed".
	ask func(context.Context) error
	// needed says that the server is not ready while this fails.
	needed bool
}

// The phases of a server. It is ready in the second one only.
const (
	phaseStarting = "starting"
	phaseServing  = "serving"
	phaseStopping = "stopping"
)

// monitorTime is the longest that an answer may take, a slow reader's included:
// more than a scrape may.
const monitorTime = time.Minute

// checkTime bounds all checks together: probes do not wait long.
const checkTime = 2 * time.Second

func newMonitor(log *slog.Logger) *monitor {
	m := &monitor{registry: metrics.New(log), log: log}
	m.phase.Store(phaseStarting)
	m.checks.Store(new([]check))
	return m
}

// listen begins to serve.
func (m *monitor) listen(ctx context.Context, o Monitor) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(o.Bind, strconv.FormatInt(o.Port, 10)))
	if err != nil {
		return fmt.Errorf("cannot listen for metrics: %w", err)
	}
	m.serve(listener, m.handler(o.Profiles))
	return nil
}

func (m *monitor) serve(listener net.Listener, handler http.Handler) {
	m.listener = listener
	m.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second, // nobody sends a body
		WriteTimeout:      monitorTime,      // profiles add the time that they take
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(m.log.Handler(), slog.LevelWarn),
	}
	go func() { _ = m.server.Serve(listener) }() // ends with close
}

func (m *monitor) close(context.Context) error { return m.server.Close() }

func (m *monitor) handler(profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.registry.Handler())
	mux.HandleFunc("GET /healthz", m.alive)
	mux.HandleFunc("GET /readyz", m.answerReady)
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// alive says that the process answers. Whoever restarts it for any other
// reason loses more than he gains.
func (m *monitor) alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

// Readiness is whether requests are to be sent to this server, and why not.
type Readiness struct {
	Ready  bool              `json:"ready"`
	Phase  string            `json:"phase"`
	Checks map[string]string `json:"checks"` // "ok" or "failed"
}

// ready asks everything that says whether requests can be served.
func (m *monitor) ready(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	phase := m.phase.Load().(string)
	r := Readiness{Ready: phase == phaseServing, Phase: phase, Checks: map[string]string{}}
	for _, c := range *m.checks.Load() {
		err := c.ask(ctx)
		if err == nil {
			r.Checks[c.name] = "ok"
			continue
		}
		r.Checks[c.name] = "failed"
		r.Ready = r.Ready && !c.needed
		if phase == phaseServing {
			m.log.Warn("a check of readiness failed", "check", c.name, "error", err)
		}
	}
	return r
}

func (m *monitor) answerReady(w http.ResponseWriter, r *http.Request) {
	ready := m.ready(r.Context())
	w.Header().Set("Content-Type", "application/json")
	if !ready.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(ready) // who has gone needs no answer
}
