package mail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/textproto"
	"net/url"
	"sync/atomic"
	"time"

	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/confirm"
)

// Config says how mail is sent.
type Config struct {
	// Command takes a mail on its standard input and finds its recipients
	// there; the first element is the program. Nobody splits or expands it.
	Command []string
	// Server is spoken to in place of Command if it has a host.
	Server Server
	// Confirmation makes mails of confirmation documents. It is required.
	Confirmation func(document []byte) (confirm.Mail, error)
	// Single refuses subscribers with several addresses: it is for servers that
	// ask for confirmation, which one of them could give for the others.
	Single bool
	// Timeout bounds one mail; not positive: a minute.
	Timeout time.Duration
	// Limit is the most mails under way at a time; not positive: 10.
	Limit int64
	// Log is told when mails cannot be handed over, and when they can again; nil:
	// nobody is.
	Log *slog.Logger
}

// Sender sends mail.
type Sender struct {
	transport    transport
	confirmation func([]byte) (confirm.Mail, error)
	single       bool
	timeout      time.Duration
	turns        chan struct{} // one element per mail under way
	log          *slog.Logger
	failing      atomic.Bool // the last mail could not be handed over
}

// transport takes a mail over. Its errors are *notify.Failure.
type transport interface {
	take(ctx context.Context, m *message) error
}

// New returns a Sender. It reaches for nothing: the command need not be there.
func New(c Config) (*Sender, error) {
	s := &Sender{confirmation: c.Confirmation, single: c.Single, timeout: c.Timeout, turns: make(chan struct{}, 10), log: c.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.timeout <= 0 {
		s.timeout = time.Minute
	}
	if c.Limit > 0 {
		s.turns = make(chan struct{}, c.Limit)
	}
	switch {
	case c.Confirmation == nil:
		return nil, errors.New("mail: Config.Confirmation is required")
	case c.Server.Host != "":
		if err := c.Server.Check(); err != nil {
			return nil, err
		}
		s.transport = &c.Server
	case len(c.Command) > 0 && c.Command[0] != "":
		s.transport = command(c.Command)
	default:
		return nil, errors.New("there is neither a command that takes mails nor a mail server")
	}
	return s, nil
}

// Check implements notify.Sender.
func (s *Sender) Check(_ context.Context, subscriber *url.URL, o *delivery.Options) error {
	to, err := parseTarget(subscriber)
	if err != nil {
		return err
	}
	if s.single && len(to.recipients) > 1 {
		return invalid("A mailto: subscriber has one address here: one of several could confirm for the others.")
	}
	if o == nil {
		o = new(delivery.Options)
	}
	_, err = compose(to, o.From, cmp.Or(to.subject, o.Subject), nil)
	return err
}

// Send implements notify.Sender.
func (s *Sender) Send(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
	m, err := s.message(d)
	if err != nil {
		return notify.Receipt{}, &notify.Failure{Verdict: notify.GiveUp, What: "The mail cannot be written.", Err: err}
	}
	select { // for as long as it takes: that others are slow is nobody's failure
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return notify.Receipt{}, &notify.Failure{What: "Too many mails are under way.", Err: context.Cause(ctx)}
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err = s.transport.take(limited, m)
	if ctx.Err() == nil { // else it was stopped
		s.tell(err)
	}
	return notify.Receipt{}, err
}

// tell logs the first failure of several: it is the operator who can do something
// about most. That a mail is refused for good is between those who write it.
func (s *Sender) tell(err error) {
	if f := (*notify.Failure)(nil); errors.As(err, &f) {
		if f.Verdict == notify.Retry && !s.failing.Swap(true) {
			s.log.Warn("mails cannot be handed over and are tried again", "error", err)
		}
		return
	}
	if s.failing.Swap(false) {
		s.log.Info("mails are handed over again")
	}
}

// message writes the mail of a delivery.
func (s *Sender) message(d *notify.Delivery) (*message, error) {
	u, err := url.Parse(d.Subscription.Subscriber)
	if err != nil {
		return nil, errors.New("the subscriber is no URI")
	}
	to, err := parseTarget(u)
	if err != nil {
		return nil, err
	}
	if d.Kind != delivery.Notification {
		if len(to.recipients) > 1 {
			return nil, errors.New("one of several recipients could confirm for the others")
		}
		c, err := s.confirmation(d.Document)
		if err != nil {
			return nil, err
		}
		return compose(to, c.Sender, c.Topic, []byte(c.Body))
	}
	o := d.Options
	if o == nil {
		o = new(delivery.Options)
	}
	return compose(to, o.From, cmp.Or(to.subject, o.Subject), d.Document)
}

// failure is what a step of handing a mail over says about it.
func failure(step string, err error) *notify.Failure {
	f := &notify.Failure{Verdict: notify.Retry, What: "The mail could not be handed over.", Err: fmt.Errorf("%s: %w", step, err)}
	var reply *textproto.Error
	if errors.As(err, &reply) {
		f.What = fmt.Sprintf("The mail server answered %d.", reply.Code)
	}
	return f
}
