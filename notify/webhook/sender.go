package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"zaqar/internal/egress"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
)

// Config says how webhooks are sent.
type Config struct {
	Timeout     time.Duration  // of an attempt from beginning to end
	InFlight    int            // attempts at a time, about: so many connections stay open for a host
	Authorities *x509.CertPool // who may sign certificates of receivers; nil: whom the system trusts
	Proxy       *url.URL       // all attempts go through it; nil: straight
	Allow, Deny egress.List    // targets beside the public Internet, and targets in it
	UserAgent   string
	Now         func() time.Time

	Resolver *net.Resolver                // nil: the system's
	Own      func() ([]netip.Addr, error) // addresses of this machine; nil: those of its interfaces
}

// Defaults are the settings of a server that was told nothing; Now is left to
// the caller.
func Defaults() Config {
	return Config{Timeout: 60 * time.Second, InFlight: 500, UserAgent: "zaqar"}
}

const (
	maxHeader    = 64 << 10         // of an answer, all informational ones together
	maxBody      = 64 << 10         // of an answer, to use its connection again
	bodyTime     = 2 * time.Second  // for that, too
	dialTime     = 10 * time.Second // to connect, and once more for TLS
	idleTime     = 55 * time.Second // most receivers and balancers give up at 60 s
	tlsSessions  = 1024
	maxRetryTime = time.Hour // what Retry-After can ask for
)

// Sender is a notify.Sender for http and https.
type Sender struct {
	c   Config
	way atomic.Pointer[way]
}

// way is how receivers are reached, by one set of lists.
type way struct {
	guard     *egress.Guard
	transport *http.Transport
}

var _ notify.Sender = (*Sender)(nil)

// New returns a sender. Close it.
func New(c Config) *Sender {
	s := &Sender{c: c}
	s.way.Store(newWay(c))
	return s
}

// Reach puts other lists of targets in force. Attempts in flight are finished;
// no connection that was made by the old lists is used for others.
func (s *Sender) Reach(allow, deny egress.List) {
	c := s.c
	c.Allow, c.Deny = allow, deny
	s.way.Swap(newWay(c)).transport.CloseIdleConnections()
}

func newWay(c Config) *way {
	w := &way{guard: egress.New(egress.Config{
		Allow: c.Allow, Deny: c.Deny, Proxy: hostPort(c.Proxy), Timeout: dialTime,
		Own: c.Own, Resolver: c.Resolver, Now: c.Now,
	})}
	w.transport = &http.Transport{
		DialContext: w.guard.DialContext,
		TLSClientConfig: &tls.Config{
			RootCAs: c.Authorities, MinVersion: tls.VersionTLS12,
			ClientSessionCache: tls.NewLRUClientSessionCache(tlsSessions),
		},
		TLSHandshakeTimeout:    dialTime,
		Protocols:              new(http.Protocols),
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConns:           IdleConnections(c.InFlight),
		MaxIdleConnsPerHost:    c.InFlight,
		IdleConnTimeout:        idleTime,
	}
	w.transport.Protocols.SetHTTP1(true)
	if c.Proxy != nil {
		w.transport.Proxy = http.ProxyURL(c.Proxy)
		w.transport.OnProxyConnectResponse = tunnelled
	}
	return w
}

// hostPort is the address of a proxy, or empty.
func hostPort(proxy *url.URL) string {
	if proxy == nil {
		return ""
	}
	port := proxy.Port()
	if port == "" {
		port = "80"
		if proxy.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(proxy.Hostname(), port)
}

// Close closes the connections that are not in use.
func (s *Sender) Close() { s.way.Load().transport.CloseIdleConnections() }

// Check refuses URLs without a host and those whose host must not be reached,
// as far as that can be told now (notifications §5).
func (s *Sender) Check(ctx context.Context, subscriber *url.URL, _ *delivery.Options) error {
	if subscriber.Scheme != "http" && subscriber.Scheme != "https" || subscriber.Hostname() == "" {
		return messaging.E(messaging.Invalid, "subscriber must be a URL with a host, as http://host/path is.")
	}
	if err := s.way.Load().guard.Check(ctx, subscriber.Hostname(), subscriber.Port()); err != nil {
		return messaging.Wrap(messaging.Invalid, "subscriber names a host to which nothing may be sent. The operator can allow it: [notification] allowed_targets and denied_targets.", err)
	}
	return nil
}

// Send makes one attempt (notifications §6).
func (s *Sender) Send(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
	target, err := url.Parse(d.Subscription.Subscriber)
	if err != nil {
		return notify.Receipt{}, giveUp("The subscriber is not a URL.") // the cause quotes it
	}
	return s.Post(ctx, target, d, "")
}

// Post makes one attempt at another target than the subscription's, with a token
// if it is not empty. Only with a token do X-Auth headers of the options count.
func (s *Sender) Post(ctx context.Context, target *url.URL, d *notify.Delivery, token string) (notify.Receipt, error) {
	way := s.way.Load()
	if err := way.guard.Target(target.Hostname(), target.Port()); err != nil {
		return notify.Receipt{}, fault(err)
	}
	r, err := s.request(target, d, token)
	if err != nil {
		return notify.Receipt{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(s.c.Timeout, func() { cancel(errTimeout) })
	defer timer.Stop()

	answer, err := way.transport.RoundTrip(r.WithContext(ctx))
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return notify.Receipt{}, fault(err)
	}
	if answer.ContentLength != 0 {
		timer.Reset(min(bodyTime, s.c.Timeout))
		io.CopyN(io.Discard, answer.Body, maxBody) //nolint:errcheck // the status has told all
	}
	answer.Body.Close()
	return notify.Receipt{Status: answer.StatusCode}, s.judged(answer, d.Attempt)
}

// errTimeout is why an attempt ends that takes too long.
var errTimeout = errors.New("timed out")

// IdleConnections is how many connections a Sender keeps open, beside those in
// use, for so many attempts at a time.
func IdleConnections(inFlight int) int { return 2 * inFlight }
