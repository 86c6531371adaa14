package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/notify"
	"zaqar/notify/confirm"
	"zaqar/notify/queue"
	"zaqar/notify/traced"
	"zaqar/notify/webhook"
	"zaqar/pipeline"
	"zaqar/storage"
)

// Notification says whether and how messages are delivered to subscribers.
type Notification struct {
	Workers int64 // notify.PerWorker deliveries in flight for each
	notify.Config
}

// stopTime is what a notifier needs to stop beside its grace.
const stopTime = 20 * time.Second

// Delivers reports whether anything is delivered to subscribers: the notifier is
// among the stages of messages.
func (o *Options) Delivers() bool {
	return slices.Contains(o.Pipelines.Message, pipeline.Notifier)
}

// notifications builds the notifier, unless it is not among the stages of
// messages.
func (a *App) notifications(store storage.Store, parts *broker.Parts) error {
	o := a.options.Notification
	if !a.options.Delivers() {
		return nil
	}
	documents := a.documents()
	senders, err := a.senders(&o, documents, store)
	if err != nil {
		return err
	}
	o.Config.InFlight, o.Config.Stuck = o.inFlight(), o.stuck(openFiles())
	o.Config.RequireConfirmation = a.options.Broker.RequireConfirmation
	var follow func(context.Context, *notify.Delivery) (context.Context, func(notify.Receipt, *notify.Failure))
	if parts.Tracer != nil {
		follow = traced.Follow(parts.Tracer)
	}
	a.notifier, err = notify.New(o.Config, notify.Parts{
		Data: store, Queues: store, Senders: senders,
		Open:     func(p messaging.Project, m *messaging.Message) error { return a.broker.Unseal(p, m) },
		Post:     a.postForOwner,
		Render:   documents.Render,
		Pressure: pressure(), Follow: follow,
		Now: time.Now, Log: a.log,
	})
	if err != nil {
		return err
	}
	parts.Notifier = a.notifier
	return nil
}

// runNotifier starts deliveries, once the broker is there.
func (a *App) runNotifier() {
	if a.notifier == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		a.notifier.Run(ctx)
		close(ended)
	}()
	a.undo.add("stop deliveries", a.options.Notification.Grace*2+stopTime, func(ctx context.Context) error {
		stop()
		select {
		case <-ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// senders builds what delivers, by scheme.
func (a *App) senders(o *Notification, documents *confirm.Documents, store storage.Subscriptions) (map[string]notify.Sender, error) {
	c, err := a.options.Webhooks.config()
	if err != nil {
		return nil, fmt.Errorf("[notification] %w", err)
	}
	c.Now, c.InFlight = time.Now, o.inFlight()
	hooks := webhook.New(c)
	a.webhooks = hooks
	a.undo.add("close connections to receivers", stopTime, func(context.Context) error { hooks.Close(); return nil })
	if a.trusts, err = a.trusted(hooks, store); err != nil {
		return nil, err
	}
	mails, err := a.options.Mail.sender(documents, a.options.Broker.RequireConfirmation, a.log)
	if err != nil {
		return nil, err
	}
	return map[string]notify.Sender{
		"http": hooks, "https": hooks, "trust+http": a.trusts, "trust+https": a.trusts, "mailto": mails, queue.Scheme: queue.New(queues{a}),
	}, nil
}

// postForOwner posts what the notifier has to say.
func (a *App) postForOwner(ctx context.Context, q messaging.QueueRef, p notify.Post) error {
	return a.broker.Forward(ctx, broker.Forward{From: q.Project, To: []messaging.QueueRef{q}, Body: p.Body, TTL: p.TTL, Note: p.Note})[0]
}

// queues lets subscribers that are queues be reached through the broker.
type queues struct{ app *App }

// Accepts implements queue.Queues.
func (q queues) Accepts(ctx context.Context, from messaging.Project, to messaging.QueueRef) error {
	return q.app.broker.Accepts(ctx, from, to)
}

// Forward implements queue.Queues.
func (q queues) Forward(ctx context.Context, m queue.Message) []error {
	return q.app.broker.Forward(ctx, broker.Forward{From: m.From, To: m.To, Body: m.Body, TTL: m.TTL, Note: m.Note})
}
