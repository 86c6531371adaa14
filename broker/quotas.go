package broker

import (
	"context"
	"maps"

	"zaqar/messaging"
	"zaqar/quota"
)

// Quotas bound what fills the store on behalf of a project: queues and messages
// that its callers make. What the server makes itself is counted, but not
// refused: a queue for dead letters, and a queue made again because it was
// deleted while a message was on its way there.

// holdDrafts holds room for what a post stores, or returns OverQuota.
func (b *Broker) holdDrafts(ctx context.Context, q messaging.QueueRef, d *drafts) (quota.Hold, error) {
	if b.quotas == nil {
		return quota.Hold{}, nil
	}
	bytes := int64(0)
	for i := range d.list {
		bytes += int64(len(d.list[i].Body))
	}
	hold, err := b.quotas.HoldMessages(ctx, q.Project, len(d.list), bytes)
	return hold, fault(err)
}

// createQueue makes the queue if it is missing, within the quota.
func (b *Broker) createQueue(ctx context.Context, q messaging.QueueRef, m *messaging.Metadata) (created bool, err error) {
	hold, err := b.quotas.HoldQueue(ctx, q)
	if err != nil {
		if _, missing := b.control.Queue(ctx, q); is(err, messaging.OverQuota) && missing == nil {
			return false, nil // there is nothing to make
		}
		return false, fault(err)
	}
	defer hold.Done()
	created, err = b.control.CreateQueue(ctx, q, m)
	return created, fault(err)
}

// QuotaView is what a project may have and has.
type QuotaView struct {
	Project messaging.Project
	Limits  messaging.Limits // in force: every limit
	Granted messaging.Limits // those that an administrator set
	Usage   quota.Usage
}

// ShowQuota returns the quota of a project and how much of it is used.
// Everybody may see that of the own project.
func (b *Broker) ShowQuota(ctx context.Context, who messaging.Caller, p messaging.Project) (QuotaView, error) {
	defer b.follow(&ctx, who, "ShowQuota")()
	if err := b.admitToQuota(ctx, who, p, "quotas:get"); err != nil {
		return QuotaView{}, err
	}
	return b.quotaView(ctx, p)
}

func (b *Broker) quotaView(ctx context.Context, p messaging.Project) (v QuotaView, err error) {
	v.Project = p
	granted, err := b.control.Quota(ctx, p)
	if err != nil && !is(err, messaging.NotFound) {
		return v, fault(err)
	}
	v.Granted, v.Limits = granted.Limits, b.quotas.Limits(ctx, p)
	v.Usage, err = b.quotas.Usage(ctx, p)
	return v, fault(err)
}

// DefaultQuota returns what the project may have if no administrator grants it
// something else.
func (b *Broker) DefaultQuota(ctx context.Context, who messaging.Caller, p messaging.Project) (messaging.Limits, error) {
	defer b.follow(&ctx, who, "DefaultQuota")()
	if err := b.admitToQuota(ctx, who, p, "quotas:get"); err != nil {
		return nil, err
	}
	return b.quotas.Defaults(p), nil
}

// admitToQuota asks the policy. The quota of another project is for those who
// may see all.
func (b *Broker) admitToQuota(ctx context.Context, who messaging.Caller, p messaging.Project, rule string) error {
	if b.quotas == nil {
		return messaging.E(messaging.Unsupported, "This server has no quotas.")
	}
	if rule == "quotas:get" && p != who.Project {
		rule = "quotas:get_all"
	}
	_, err := b.admit(ctx, who, rule, messaging.QueueRef{Project: p})
	return err
}

// ListQuotas returns a page of what administrators granted, ascending byte-wise
// by project, strictly after the marker.
func (b *Broker) ListQuotas(ctx context.Context, who messaging.Caller, marker messaging.Project, limit *int) ([]messaging.Quota, error) {
	defer b.follow(&ctx, who, "ListQuotas")()
	if err := b.admitToQuota(ctx, who, "", "quotas:get_all"); err != nil {
		return nil, err
	}
	n, err := pageSize(limit, b.active.Load().MaxQueuesPerPage)
	if err != nil {
		return nil, err
	}
	page, err := b.control.Quotas(ctx, marker, n)
	return page, fault(err)
}

// UpdateQuota grants the project some limits, takes others back (those fall to
// the defaults), leaves the rest as it is, and returns what ShowQuota would. It
// is in force at once on this node. Of concurrent updates on several nodes the
// last one counts.
func (b *Broker) UpdateQuota(ctx context.Context, who messaging.Caller, p messaging.Project, in UpdateQuota) (QuotaView, error) {
	defer b.follow(&ctx, who, "UpdateQuota")()
	if err := b.admitToQuota(ctx, who, p, "quotas:update"); err != nil {
		return QuotaView{}, err
	}
	if err := quota.Check(in.Set); err != nil {
		return QuotaView{}, messaging.E(messaging.Invalid, "Wrong limit: "+err.Error()+".")
	}
	if err := b.grant(ctx, p, in); err != nil {
		return QuotaView{}, err
	}
	return b.quotaView(ctx, p)
}

func (b *Broker) grant(ctx context.Context, p messaging.Project, in UpdateQuota) error {
	b.granted.Lock()
	defer b.granted.Unlock()
	q, err := b.control.Quota(ctx, p)
	if err != nil && !is(err, messaging.NotFound) {
		return fault(err)
	}
	next := messaging.Quota{Project: p, Limits: messaging.Limits{}}
	maps.Copy(next.Limits, q.Limits)
	maps.Copy(next.Limits, in.Set)
	for _, l := range in.Unset {
		delete(next.Limits, l)
	}
	if len(next.Limits) == 0 {
		err = b.control.DeleteQuota(ctx, p)
	} else {
		err = b.control.PutQuota(ctx, next)
	}
	b.quotas.Changed(p)
	return fault(err)
}

// DeleteQuota takes back all that was granted to the project. A project without
// a quota of its own is no error.
func (b *Broker) DeleteQuota(ctx context.Context, who messaging.Caller, p messaging.Project) error {
	defer b.follow(&ctx, who, "DeleteQuota")()
	if err := b.admitToQuota(ctx, who, p, "quotas:delete"); err != nil {
		return err
	}
	b.granted.Lock()
	defer b.granted.Unlock()
	err := b.control.DeleteQuota(ctx, p)
	b.quotas.Changed(p)
	return fault(err)
}
