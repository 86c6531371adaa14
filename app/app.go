package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"zaqar/api/conn"
	"zaqar/api/edge"
	"zaqar/api/rest"
	"zaqar/auth/keystone"
	"zaqar/auth/signed"
	"zaqar/broker"
	"zaqar/notify"
	"zaqar/notify/trust"
	"zaqar/notify/webhook"
	"zaqar/observe/trace"
	"zaqar/quota"
	"zaqar/storage"
)

// App is a server that was built and listens. Run serves; Close is for one
// that is not to run after all.
type App struct {
	options    Options
	log        *slog.Logger
	begun      time.Time
	broker     *broker.Broker
	policy     *policyWatch
	signatures *signed.Keys
	keystone   *keystone.Identity // nil: callers are believed
	limited    *edge.Limited
	// certificates and handshakes are nil without TLS.
	certificates *certificates
	handshakes   *edge.Secure
	listener     *conn.Listener
	server       *http.Server
	links        links
	monitor      *monitor
	quotas       *quota.Guard     // nil: there are none
	notifier     *notify.Notifier // nil: nothing is delivered
	trusts       *trust.Sender    // likewise
	webhooks     *webhook.Sender  // likewise
	undo         undo
}

// New opens the store and starts to listen. Clients that connect are served
// as soon as Run is called.
func New(ctx context.Context, o Options) (*App, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	a := &App{options: o, log: o.Log, begun: time.Now()}
	a.undo.log = o.Log
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.undo.run())
	}
	return a, nil
}

// build builds the parts from the inside to the outside.
func (a *App) build(ctx context.Context) error {
	if err := a.beginMonitor(ctx); err != nil {
		return err
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	denials, tracer, err := a.buildCore(ctx, store)
	if err != nil {
		return err
	}
	front, err := a.front(tracer)
	if err != nil {
		return err
	}
	if err := a.listen(ctx, edge.Handler(a.options.CORS.wrap(rest.New(front, a.broker, a.log)))); err != nil {
		return err
	}
	if a.options.Monitor.Enabled {
		a.addMetrics(store, denials)
	}
	return nil
}

// beginMonitor lets probes see the start.
func (a *App) beginMonitor(ctx context.Context) error {
	a.monitor = newMonitor(a.log)
	if !a.options.Monitor.Enabled {
		return nil
	}
	if err := a.monitor.listen(ctx, a.options.Monitor); err != nil {
		return err
	}
	a.undo.add("stop the metrics", closeTime, a.monitor.close)
	a.log.Info("metrics", "address", "http://"+a.MonitorAddr())
	return nil
}

func (a *App) openStore(ctx context.Context) (fullStore, error) {
	store, err := openStore(a.options.Store, a.options.Extensions.Drivers, storage.Env{Now: time.Now, Log: a.log})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	a.undo.add("close the store", closeTime, func(context.Context) error { return store.Close() })
	if err := ctx.Err(); err != nil {
		return nil, err // told to stop while the store was being read
	}
	a.log.Info("store open", append(a.options.Store.describe(), "took", time.Since(a.begun))...)
	a.monitor.checks.Store(&[]check{{"store", store.Ping, true}})
	return store, nil
}

// buildCore builds the broker and what decides with it.
func (a *App) buildCore(ctx context.Context, store fullStore) (*denials, *trace.Tracer, error) {
	var err error
	if a.quotas, err = a.guard(store, store, storage.Env{Now: time.Now, Log: a.log}); err != nil {
		return nil, nil, err
	}
	if err := a.watchPolicy(); err != nil {
		return nil, nil, err
	}
	denials := &denials{Policy: a.policy.live}
	parts := broker.Parts{Control: store, Data: store, Policy: denials, Quotas: a.quotas, Now: time.Now, Log: a.log}
	tracer, err := a.follow(ctx, &parts)
	if err != nil {
		return nil, nil, err
	}
	if err := a.notifications(store, &parts); err != nil {
		return nil, nil, err
	}
	if err := a.stages(store, &parts); err != nil {
		return nil, nil, err
	}
	if a.broker, err = broker.New(a.options.Broker, parts); err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	a.runNotifier()
	return denials, tracer, nil
}

// front completes the configuration of the HTTP front.
func (a *App) front(tracer *trace.Tracer) (rest.Config, error) {
	a.signatures = signed.NewKeys(a.options.SignedURL.secrets()...)
	front := a.options.REST
	front.Tasks = a.options.Extensions.Tasks
	front.ConfirmationPage = true
	front.Now, front.Quotas, front.Signatures, front.Healthcheck.Ask = time.Now, a.quotas, a.signatures, a.healthy
	if tracer != nil {
		front.Trace = tracer.Begin
	}
	if a.options.AccessLog {
		front.Access = cmp.Or(a.options.Access, a.log)
	}
	if a.options.Audit {
		front.Audit = cmp.Or(a.options.AuditLog, a.log)
	}
	if err := a.identify(&front); err != nil {
		return front, err
	}
	if a.options.Monitor.Enabled {
		a.countRequests(&front)
	}
	return front, nil
}

// listen builds what stands between the network and the handler.
func (a *App) listen(ctx context.Context, handler http.Handler) error {
	h := a.options.HTTP
	if err := a.secure(); err != nil {
		return err
	}
	probed := net.ListenConfig{KeepAlive: -1} // by what limits connections
	listener, err := probed.Listen(ctx, "tcp", net.JoinHostPort(h.Bind, strconv.FormatInt(h.Port, 10)))
	if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	a.limited = a.limit(listener)
	a.listener = conn.Listen(a.limited, time.Now)
	if a.certificates != nil {
		a.handshakes = edge.Handshakes(a.limited, a.certificates.settings, h.HeaderTimeout, a.log)
		a.listener = conn.Listen(a.handshakes, time.Now)
	}
	a.listener.Refuse(func(status int) []byte { return edge.Unreadable(status, rest.NewRequestID()) })
	a.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: h.HeaderTimeout,
		IdleTimeout:       h.IdleTimeout,
		MaxHeaderBytes:    int(h.MaxHeaderBytes),
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
		ConnState:         a.connState,
		ConnContext:       a.connContext,
		HTTP2:             a.http2(),
	}
	a.undo.add("stop listening", closeTime, func(context.Context) error { return ignoreClosed(a.listener.Close()) })
	a.undo.add("finish requests", a.options.ShutdownTimeout, a.drain)
	return nil
}

// Addr is where the server listens, as host:port.
func (a *App) Addr() string { return a.listener.Addr().String() }

// scheme is how URLs of the server begin.
func (a *App) scheme() string {
	if a.certificates != nil {
		return "https"
	}
	return "http"
}

// MonitorAddr is where metrics are served, as host:port; empty if they are not.
func (a *App) MonitorAddr() string {
	if a.monitor.listener == nil {
		return ""
	}
	return a.monitor.listener.Addr().String()
}

// Run serves until ctx ends or serving fails, then stops everything. A stop
// because of ctx is no error.
func (a *App) Run(ctx context.Context) error {
	a.log.Info("listening", "address", a.scheme()+"://"+a.Addr(), "version", a.options.Version,
		"authentication", cmp.Or(a.options.Identity.Strategy, "none"), "admin_mode", a.options.REST.Admin, "took", time.Since(a.begun))
	failed := make(chan error, 1)
	a.monitor.phase.Store(phaseServing)
	go func() { failed <- a.server.Serve(a.listener) }()
	var err error
	select {
	case <-ctx.Done():
		a.log.Info("stopping", "connections", a.limited.Open(), "timeout", a.options.ShutdownTimeout)
	case err = <-failed:
		err = fmt.Errorf("serving failed: %w", err)
	}
	a.monitor.phase.Store(phaseStopping)
	err = errors.Join(err, a.undo.run())
	a.log.Info("stopped", "uptime", time.Since(a.begun))
	return err
}

// Close stops a server that does not run.
func (a *App) Close() error { return a.undo.run() }

// drain ends long polls, takes no further connections and waits for requests
// in flight. What is not done when ctx ends is cut off.
func (a *App) drain(ctx context.Context) error {
	a.broker.Close()
	if err := a.listener.Drain(ctx); err != nil {
		a.log.Warn("requests that waited got no answer", "error", err)
	}
	err := a.server.Shutdown(ctx)
	if err != nil {
		a.log.Warn("requests in flight were cut off", "connections", a.limited.Open())
		return errors.Join(err, a.server.Close())
	}
	return nil
}

// Reload puts the part of o in force that can change while the server runs:
// Broker but for RequireConfirmation, Policy, SignedURL, the limits of Quotas and
// the lists of Webhooks. The files of TLS are read again. An error means that
// nothing else changed.
func (a *App) Reload(o Options) error {
	allow, deny, err := o.Webhooks.targets()
	if err != nil {
		return fmt.Errorf("[notification] %w", err)
	}
	if a.certificates != nil {
		if err := a.certificates.renew(); err != nil {
			return err
		}
	}
	enforce, err := a.policy.prepare(o.Policy)
	if err != nil {
		return err
	}
	before := a.broker.Config()
	o.Broker.RequireConfirmation = before.RequireConfirmation // the notifier goes by it, too
	if err := a.broker.Reconfigure(o.Broker); err != nil {
		return err
	}
	if err := a.quotas.Reconfigure(o.Quotas.Config); err != nil {
		return errors.Join(fmt.Errorf("[quota] %w", err), a.broker.Reconfigure(before))
	}
	enforce()
	a.signatures.Set(o.SignedURL.secrets()...)
	if w := a.options.Webhooks; a.webhooks != nil && !(slices.Equal(w.Allow, o.Webhooks.Allow) && slices.Equal(w.Deny, o.Webhooks.Deny)) {
		a.webhooks.Reach(allow, deny)
		a.options.Webhooks.Allow, a.options.Webhooks.Deny = o.Webhooks.Allow, o.Webhooks.Deny
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
