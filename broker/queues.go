package broker

import (
	"context"
	"strconv"
	"strings"
	"time"

	"zaqar/messaging"
)

// filterChunk is how many queues a filtered list reads at a time.
const filterChunk = 100

// ListQueues returns a page of the caller's queues or topics, ascending
// byte-wise by name (http-v2 §7.1).
func (b *Broker) ListQueues(ctx context.Context, who messaging.Caller, in ListQueues) (QueuePage, error) {
	defer b.follow(&ctx, who, "ListQueues")()
	s, err := b.admit(ctx, who, noun(messaging.QueueRef{Topic: in.Topics})+"s:get_all", project(who))
	if err != nil {
		return QueuePage{}, err
	}
	limit, err := pageSize(in.Limit, s.MaxQueuesPerPage)
	if err != nil {
		return QueuePage{}, err
	}
	var page QueuePage
	if page.Queues, err = b.queuesPage(ctx, who.Project, in, limit); err != nil {
		return QueuePage{}, err
	}
	if in.Count && !in.Topics {
		if page.Count, err = b.control.CountQueues(ctx, who.Project, false); err != nil {
			return QueuePage{}, fault(err)
		}
	}
	return page, nil
}

// queuesPage reads on from the marker until limit queues match.
func (b *Broker) queuesPage(ctx context.Context, p messaging.Project, in ListQueues, limit int) ([]messaging.Queue, error) {
	chunk := limit
	if in.Name != "" || len(in.Filters) > 0 {
		chunk = max(limit, filterChunk)
	}
	var page []messaging.Queue
	after := in.Marker
	for {
		queues, err := b.control.Queues(ctx, p, in.Topics, after, chunk)
		if err != nil {
			return nil, fault(err)
		}
		for _, q := range queues {
			if len(page) < limit && in.matches(q) {
				page = append(page, q)
			}
		}
		if len(page) == limit || len(queues) < chunk {
			return page, nil
		}
		after = queues[len(queues)-1].Ref.Name
	}
}

func (in *ListQueues) matches(q messaging.Queue) bool {
	if !strings.Contains(q.Ref.Name, in.Name) {
		return false
	}
	if len(in.Filters) == 0 {
		return true
	}
	// By name, not one by one: a client may send thousands of filters to
	// queues with thousands of members.
	members := q.Metadata.Members()
	stored := make(map[string][]byte, len(members))
	for _, m := range members {
		stored[m.Name] = m.Value
	}
	for _, f := range in.Filters {
		if value, ok := stored[f.Key]; !ok || !f.equals(value) {
			return false
		}
	}
	return true
}

// equals compares with a stored value: as an integer if the filter's value is
// one (a sign and blanks around are allowed), else as a string.
func (f Filter) equals(stored []byte) bool {
	wanted := strings.TrimSpace(f.Value)
	if digits := strings.TrimLeft(wanted, "+-"); len(wanted)-len(digits) <= 1 && digits != "" && strings.Trim(digits, "0123456789") == "" {
		want, err := strconv.ParseInt(wanted, 10, 64)
		got, isInteger := messaging.Integer(stored)
		return err == nil && isInteger && got == want
	}
	got, isString := messaging.Text(stored)
	return isString && got == f.Value
}

// CreateQueue creates the queue with the metadata (nil: none) and reports true.
// An existing queue is left as it is, which reports false; the metadata is
// checked all the same (http-v2 §7.2).
func (b *Broker) CreateQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef, m *messaging.Metadata) (created bool, err error) {
	defer b.follow(&ctx, who, "CreateQueue")()
	s, err := b.enter(ctx, who, q, rule(q, "create"))
	if err != nil {
		return false, err
	}
	if err := s.checkMetadata(q, nil, m); err != nil {
		return false, err
	}
	return b.createQueue(ctx, q, m)
}

// ShowQueue returns the metadata with the defaults filled in; of a missing
// queue, the defaults alone (http-v2 §7.3).
func (b *Broker) ShowQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef) (*messaging.Metadata, error) {
	defer b.follow(&ctx, who, "ShowQueue")()
	s, err := b.enter(ctx, who, q, rule(q, "get"))
	if err != nil {
		return nil, err
	}
	found, err := b.control.Queue(ctx, q)
	if err != nil && !is(err, messaging.NotFound) {
		return nil, fault(err)
	}
	return s.shown(q, found.Metadata), nil
}

// PatchQueue applies all of the operations or none and returns what ShowQueue
// would then return. NotFound: no such queue; Conflict: an operation addresses
// a member that is not there; Invalid: the result breaks a rule (http-v2 §7.5).
func (b *Broker) PatchQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef, ops []PatchOp) (*messaging.Metadata, error) {
	defer b.follow(&ctx, who, "PatchQueue")()
	s, err := b.enter(ctx, who, q, rule(q, "update"))
	if err != nil {
		return nil, err
	}
	released := false // whether delayed messages became available
	stored, err := b.control.AmendQueue(ctx, q, func(before *messaging.Metadata) (*messaging.Metadata, error) {
		after, err := patch(q, before, ops)
		if err != nil {
			return nil, err
		}
		if err := s.checkMetadata(q, before, after); err != nil {
			return nil, err
		}
		released = s.delay(before.Settings()) > 0 && s.delay(after.Settings()) == 0
		return after, nil
	})
	if is(err, messaging.NotFound) {
		return nil, noQueue(q)
	}
	if err != nil {
		return nil, fault(err)
	}
	if released {
		b.waiters.stir(q)
	}
	return s.shown(q, stored.Metadata), nil
}

// DeleteQueue removes the queue, its metadata, messages and claims. A missing
// queue is no error, and subscriptions stay (http-v2 §7.4).
func (b *Broker) DeleteQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef) error {
	defer b.follow(&ctx, who, "DeleteQueue")()
	if _, err := b.enter(ctx, who, q, rule(q, "delete")); err != nil {
		return err
	}
	return b.deleteQueue(ctx, q)
}

// deleteQueue drops the messages first, so that a crash in between cannot leave
// some behind that a new queue of the name would show, and once more when the
// record is gone, for those posted meanwhile.
func (b *Broker) deleteQueue(ctx context.Context, q messaging.QueueRef) error {
	if _, ok := b.control.(wholeDeleter); ok {
		return fault(b.control.DeleteQueue(ctx, q))
	}
	if err := b.data.Drop(ctx, q); err != nil {
		return fault(err)
	}
	if err := b.control.DeleteQueue(ctx, q); err != nil {
		return fault(err)
	}
	return fault(b.data.Drop(ctx, q))
}

// wholeDeleter is a control plane whose DeleteQueue drops the messages as well,
// because it may refuse to.
type wholeDeleter interface{ DeletesMessages() }

// QueueStats counts the messages of a queue and returns the instant to which
// ages refer. A missing queue has none (http-v2 §7.6).
func (b *Broker) QueueStats(ctx context.Context, who messaging.Caller, q messaging.QueueRef) (messaging.Tally, time.Time, error) {
	defer b.follow(&ctx, who, "QueueStats")()
	if _, err := b.enter(ctx, who, q, rule(q, "stats")); err != nil {
		return messaging.Tally{}, time.Time{}, err
	}
	t, err := b.data.Tally(ctx, q)
	if err != nil {
		return messaging.Tally{}, time.Time{}, fault(err)
	}
	return t, b.now(), nil
}

// ShareQueue asks whether the caller may give others access to a queue
// (http-v2 §7.9). The queue need not exist; fronts make the grant.
func (b *Broker) ShareQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef) error {
	defer b.follow(&ctx, who, "ShareQueue")()
	_, err := b.enter(ctx, who, q, rule(q, "share"))
	return err
}

// PurgeQueue removes the messages that are not under a live claim, all
// subscriptions, or both. The queue and its metadata stay (http-v2 §7.7).
func (b *Broker) PurgeQueue(ctx context.Context, who messaging.Caller, q messaging.QueueRef, p Purge) error {
	defer b.follow(&ctx, who, "PurgeQueue")()
	if _, err := b.enter(ctx, who, q, rule(q, "purge")); err != nil {
		return err
	}
	if p.Messages {
		if err := b.data.Purge(ctx, q); err != nil {
			return fault(err)
		}
	}
	if p.Subscriptions {
		return b.unsubscribeAll(ctx, q)
	}
	return nil
}
