package broker

import (
	"context"
	"strconv"

	"zaqar/messaging"
)

// defaulted returns the reserved members that are shown even when unset, with
// their defaults, in the order in which they are shown (http-v2 §10.1, §13).
func (s *setup) defaulted(topic bool) []messaging.Member {
	number := func(key string, n int64) messaging.Member {
		return messaging.Member{Name: key, Value: strconv.AppendInt(nil, n, 10)}
	}
	members := []messaging.Member{
		number(messaging.KeyMaxPostSize, s.MaxMessagesPostSize),
		number(messaging.KeyDefaultTTL, s.DefaultMessageTTL),
		number(messaging.KeyDefaultDelay, s.DefaultMessageDelay),
	}
	if topic {
		return members
	}
	null := []byte("null")
	return append(members,
		messaging.Member{Name: messaging.KeyDeadLetterQueue, Value: null},
		messaging.Member{Name: messaging.KeyDeadLetterTTL, Value: null},
		messaging.Member{Name: messaging.KeyMaxClaimCount, Value: null},
		messaging.Member{Name: messaging.KeyEncrypt, Value: []byte("false")},
	)
}

// isDefaulted reports whether key is shown even when unset.
func isDefaulted(topic bool, key string) bool {
	switch key {
	case messaging.KeyMaxPostSize, messaging.KeyDefaultTTL, messaging.KeyDefaultDelay:
		return true
	}
	return !topic && (shownAsNull(topic, key) || key == messaging.KeyEncrypt)
}

// shownAsNull reports whether key, when unset, is shown as null.
func shownAsNull(topic bool, key string) bool {
	switch key {
	case messaging.KeyDeadLetterQueue, messaging.KeyDeadLetterTTL, messaging.KeyMaxClaimCount:
		return !topic
	}
	return false
}

// Shown returns the metadata as clients see it: the stored members in their
// order, then the defaulted ones that are not stored. A defaulted member
// stored with a false-like value shows its default (http-v2 §7.3).
func (b *Broker) Shown(q messaging.QueueRef, m *messaging.Metadata) *messaging.Metadata {
	return b.active.Load().shown(q, m)
}

func (s *setup) shown(q messaging.QueueRef, m *messaging.Metadata) *messaging.Metadata {
	members := m.Members()
	at := make(map[string]int, len(members))
	for i, member := range members {
		at[member.Name] = i
	}
	for _, d := range s.defaulted(q.Topic) {
		i, stored := at[d.Name]
		switch {
		case !stored:
			members = append(members, d)
		case messaging.FalseLike(members[i].Value):
			members[i].Value = d.Value
		}
	}
	return messaging.NewMetadata(members)
}

// record is what is known of a queue when a use case begins.
type record struct {
	messaging.Settings
	exists bool
}

// record reads the settings of a queue; those of a missing one are empty.
func (b *Broker) record(ctx context.Context, q messaging.QueueRef) (record, error) {
	found, err := b.control.Queue(ctx, q)
	if is(err, messaging.NotFound) {
		return record{}, nil
	}
	if err != nil {
		return record{}, fault(err)
	}
	return record{Settings: found.Metadata.Settings(), exists: true}, nil
}

// The effective settings of a queue. Stored values were checked when they came
// in, but an operator may have lowered the limits since.

// postLimit is the number of bytes a post may have.
func (s *setup) postLimit(r record) int64 { return s.capped(r.MaxPostSize, s.MaxMessagesPostSize) }

// ttl is the lifetime of messages posted without one, seconds.
func (s *setup) ttl(r record) int64 {
	if r.DefaultTTL == nil || *r.DefaultTTL <= 0 {
		return s.DefaultMessageTTL
	}
	return min(*r.DefaultTTL, s.MaxMessageTTL)
}

// delay is the default delay of messages, seconds. A queue where it is not 0
// is a delay queue; on any other delays are ignored (http-v2 §10.1). Unlike
// elsewhere a stored 0 counts: it is how a tenant opts out of a configured
// default.
func (s *setup) delay(m messaging.Settings) int64 {
	if m.DefaultDelay == nil {
		return s.DefaultMessageDelay
	}
	return max(0, min(*m.DefaultDelay, s.MaxMessageDelay))
}

// undelayed reports whether the queue ignores delays.
func (s *setup) undelayed(r record) bool { return s.delay(r.Settings) == 0 }

func (s *setup) capped(value *int64, limit int64) int64 {
	if value == nil || *value <= 0 {
		return limit
	}
	return min(*value, limit)
}
