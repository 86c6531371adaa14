package broker

import (
	"context"
	"time"

	"github.com/google/uuid"

	"zaqar/messaging"
	"zaqar/storage"
)

// What the probe does.
const (
	probeMessages = 100
	probeTTL      = 600 // seconds
	probeClaimTTL = 60
	probeGrace    = 300
	probeClaims   = 10 // messages

	// cleanupTimeout bounds the clean-up after a probe, which does not end with
	// the request.
	cleanupTimeout = 10 * time.Second
)

// Ping reports whether both stores can serve, as nil or Unavailable
// (http-v2 §6.3).
func (b *Broker) Ping(ctx context.Context, who messaging.Caller) error {
	defer b.follow(&ctx, who, "Ping")()
	if _, err := b.admit(ctx, who, "ping:get", project(who)); err != nil {
		return err
	}
	return b.reach(ctx)
}

func (b *Broker) reach(ctx context.Context) error {
	if err := b.control.Ping(ctx); err != nil {
		return fault(err)
	}
	return fault(b.data.Ping(ctx))
}

// Health uses the stores as a client would, in a queue of its own in a project
// of its own, and reports how that went. It fails only if that cannot be told
// (http-v2 §6.4).
func (b *Broker) Health(ctx context.Context, who messaging.Caller) (Health, error) {
	defer b.follow(&ctx, who, "Health")()
	if _, err := b.admit(ctx, who, "health:get", project(who)); err != nil {
		return Health{}, err
	}
	if err := b.reach(ctx); err != nil {
		b.log.ErrorContext(ctx, "health: the storage cannot be reached", "error", err)
		return Health{}, nil
	}
	h := Health{StorageReachable: true, Steps: b.probe(ctx)}
	total, claimed, err := b.data.Volume(ctx)
	if err != nil {
		return Health{}, fault(err)
	}
	h.Free, h.Claimed = total-claimed, claimed
	return h, nil
}

// probing is one run of the probe.
type probing struct {
	*Broker
	queue messaging.QueueRef
	steps []HealthStep
	ids   []messaging.MessageID
	lease storage.Lease
}

func (b *Broker) probe(ctx context.Context) []HealthStep {
	p := &probing{Broker: b, queue: messaging.QueueRef{
		Project: messaging.Project("health-" + uuid.NewString()),
		Name:    "health-" + uuid.NewString(),
	}}
	p.run(ctx)
	return p.steps
}

// run does the steps. A step is left out if one whose outcome it needs failed.
func (p *probing) run(ctx context.Context) {
	q := p.queue
	clean := false
	defer func() {
		if !clean {
			p.cleanUp(ctx)
		}
	}()
	created := p.step(ctx, "create_queue", func() error {
		_, err := p.control.CreateQueue(ctx, q, nil)
		return err
	})
	if !created {
		return
	}
	posted := p.step(ctx, "post_messages", func() (err error) {
		put, err := p.data.Append(ctx, q, "", probeDrafts(), storage.AppendOptions{})
		p.ids = put.IDs
		return err
	})
	if posted {
		p.consume(ctx)
	}
	clean = p.step(ctx, "delete_queue", func() error { return p.deleteQueue(ctx, q) })
}

// consume does the steps that need messages.
func (p *probing) consume(ctx context.Context) {
	q := p.queue
	claimed := p.step(ctx, "claim_messages", func() (err error) {
		p.lease, err = p.data.Claim(ctx, q, storage.Terms{TTL: probeClaimTTL, Grace: probeGrace, Limit: probeClaims})
		return err
	})
	p.step(ctx, "list_messages", func() error {
		_, err := p.data.Scan(ctx, q, storage.Scan{Limit: probeMessages, Claimed: true})
		return err
	})
	if claimed {
		p.step(ctx, "delete_messages", func() error {
			for _, m := range p.lease.Messages {
				hold := storage.Hold{By: []messaging.ClaimID{p.lease.Claim.ID}}
				if err := p.data.Remove(ctx, q, []messaging.MessageID{m.ID}, hold); err != nil {
					return err
				}
			}
			return nil
		})
		p.step(ctx, "delete_claim", func() error {
			_, err := p.data.Release(ctx, q, p.lease.Claim.ID)
			return err
		})
	}
	p.step(ctx, "bulk_delete_messages", func() error {
		return p.data.Remove(ctx, q, p.ids, storage.Hold{})
	})
}

// step does one step and takes down how it went.
func (p *probing) step(ctx context.Context, name string, do func() error) bool {
	began := p.now()
	err := do()
	s := HealthStep{Name: name, Succeeded: err == nil, Seconds: p.now().Sub(began).Seconds()}
	if err != nil {
		s.Ref = uuid.NewString()
		p.log.ErrorContext(ctx, "health: a step of the probe failed", "step", name, "ref", s.Ref, "error", err)
	}
	p.steps = append(p.steps, s)
	return s.Succeeded
}

// cleanUp removes what a failed probe has left, even if the caller is gone.
func (p *probing) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	if err := p.deleteQueue(ctx, p.queue); err != nil {
		p.log.ErrorContext(ctx, "health: the probe's queue cannot be removed",
			"project", p.queue.Project, "queue", p.queue.Name, "error", err)
	}
}

func probeDrafts() []messaging.Draft {
	drafts := make([]messaging.Draft, probeMessages)
	for i := range drafts {
		drafts[i] = messaging.Draft{TTL: probeTTL, Body: []byte(`{"health":true}`)}
	}
	return drafts
}
