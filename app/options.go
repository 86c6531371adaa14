package app

import (
	"log/slog"
	"time"

	"zaqar/api/rest"
	"zaqar/auth/keystone"
	"zaqar/broker"
	"zaqar/notify"
	"zaqar/notify/mail"
	"zaqar/notify/webhook"
	"zaqar/pipeline"
	"zaqar/pipeline/hook"
	"zaqar/quota"
)

// Options is everything an operator decides about a server. Take Defaults and
// change what is to differ.
type Options struct {
	Version   string       // of the program, for reports
	Log       *slog.Logger // nil: nothing is logged
	AccessLog bool         // log one record per request
	Access    *slog.Logger // where to; nil: Log
	Audit     bool         // keep an audit log
	AuditLog  *slog.Logger // where to; nil: Log
	HTTP      HTTP
	REST      rest.Config // app sets Access and Now
	CORS      CORS
	Identity  Identity
	Policy    Policy
	SignedURL SignedURL
	Store     Store
	Broker    broker.Config
	Monitor   Monitor
	Quotas    Quotas
	Health    Healthcheck
	Tracing   Tracing
	// Extensions are what the program adds, Pipelines the stages that are asked.
	Extensions Extensions
	Pipelines  pipeline.Config
	Hook       hook.Config // of the stage that asks a service
	Webhooks   Webhooks
	// Notification is about deliveries to subscribers.
	Notification Notification
	Mail         Mail
	Trustee      Trustee
	// Confirmation says what subscribers are asked.
	Confirmation Confirmation
	// ShutdownTimeout bounds how long requests in flight are waited for.
	ShutdownTimeout time.Duration
	// Effective prints the configuration with secrets masked, for reports.
	Effective func() string
}

// HTTP says where the API listens and how long it waits for its clients.
type HTTP struct {
	Bind string // address or host name
	Port int64  // 0: any free port

	HeaderTimeout  time.Duration // for a request's headers
	IdleTimeout    time.Duration // between requests on a connection
	MaxHeaderBytes int64
	TLS            TLS

	MaxConnections           int64 // at a time; 0: as many as open files leave room for
	MaxConnectionsPerAddress int64 // 0: no limit
}

// SignedURL holds the secrets of pre-signed URLs.
type SignedURL struct {
	Key string   // signs; empty: nothing is signed
	Old []string // signatures made with these are still right
}

func (s SignedURL) secrets() []string { return append([]string{s.Key}, s.Old...) }

// Store chooses the store of messages and queues.
type Store struct {
	Driver string // a name of Drivers, or of one of the Extensions
	Dir    string // where the embedded store keeps its files
	URI    string // where one of the Extensions finds the store; may hold a password
}

// Defaults returns the options of a server that was told nothing, except for
// Store.Dir, which has no default.
func Defaults() Options {
	return Options{
		HTTP: HTTP{
			Bind: "127.0.0.1", Port: 8888,
			HeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
			MaxHeaderBytes: 64 << 10,
			TLS:            TLS{Interval: 10 * time.Second},
		},
		AccessLog: true,
		REST:      rest.Defaults(),
		CORS: CORS{
			Credentials: true, MaxAge: time.Hour,
			Methods: []string{"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"},
			Headers: []string{"X-Auth-Token", "X-Identity-Status", "X-Roles", "X-Service-Catalog", "X-User-Id",
				"X-Tenant-Id", "X-Project-Id", "X-OpenStack-Request-ID", "X-Trace-Info", "X-Trace-HMAC", "Client-ID",
				"URL-Signature", "URL-Expires", "URL-Methods", "URL-Paths"},
			Exposed: []string{"X-Auth-Token", "X-Subject-Token", "X-Service-Token", "X-OpenStack-Request-ID"},
		},
		Identity:        Identity{Keystone: keystone.Defaults()},
		Policy:          Policy{DefaultRule: "default", Interval: 5 * time.Second},
		Store:           Store{Driver: "embedded"},
		Webhooks:        Webhooks{Timeout: webhook.Defaults().Timeout},
		Mail:            Mail{Command: "/usr/sbin/sendmail -t -oi", Server: mail.Server{Security: mail.Implicit}, Timeout: time.Minute, Limit: 10},
		Trustee:         Trustee{Keystone: keystone.Defaults()},
		Tracing:         Tracing{Service: "zaqar", Sampling: 0.01},
		Monitor:         Monitor{Bind: "127.0.0.1", Port: 9464, Backlog: BacklogTotal, MaxSeries: 1000},
		Broker:          broker.Defaults(),
		Pipelines:       pipeline.Config{Message: []string{pipeline.Notifier}},
		Hook:            hook.Config{Timeout: 2 * time.Second},
		Notification:    Notification{Workers: 10, Config: notify.Defaults()},
		Quotas:          Quotas{Config: quota.Config{Fresh: quota.DefaultFresh}},
		ShutdownTimeout: 30 * time.Second,
	}
}
