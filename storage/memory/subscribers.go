package memory

import (
	"cmp"
	"slices"
	"time"

	"zaqar/messaging"
)

// subscribers are the subscriptions of one queue.
type subscribers struct {
	created []*messaging.Subscription          // in order of creation, which is that of ids
	to      map[string]*messaging.Subscription // by subscriber
	soonest time.Time                          // none expires earlier
}

func newSubscribers() *subscribers {
	return &subscribers{to: map[string]*messaging.Subscription{}}
}

// place returns where the one with the id is, or would be.
func (l *subscribers) place(id messaging.SubscriptionID) (int, bool) {
	return slices.BinarySearchFunc(l.created, id, func(sub *messaging.Subscription, id messaging.SubscriptionID) int {
		return cmp.Compare(sub.ID, id)
	})
}

// find returns the one with the id, or nil.
func (l *subscribers) find(id messaging.SubscriptionID) *messaging.Subscription {
	if i, ok := l.place(id); ok {
		return l.created[i]
	}
	return nil
}

// behind returns those created after the one with the id.
func (l *subscribers) behind(id messaging.SubscriptionID) []*messaging.Subscription {
	i, ok := l.place(id)
	if ok {
		i++
	}
	return l.created[i:]
}

// add puts the latest at the end.
func (l *subscribers) add(sub *messaging.Subscription) {
	l.created = append(l.created, sub)
	l.to[sub.Subscriber] = sub
	l.expects(sub)
}

// replace puts what is stored now in the place of what was.
func (l *subscribers) replace(old *messaging.Subscription, sub messaging.Subscription) {
	delete(l.to, old.Subscriber)
	*old = sub
	l.to[old.Subscriber] = old
	l.expects(old)
}

func (l *subscribers) remove(sub *messaging.Subscription) {
	i, _ := l.place(sub.ID)
	l.created = slices.Delete(l.created, i, i+1)
	delete(l.to, sub.Subscriber)
}

// expire drops those that have expired and returns how many those were. It looks
// at them only if there may be some.
func (l *subscribers) expire(now time.Time) int {
	before := len(l.created)
	if before == 0 || !expired(l.soonest, now) {
		return 0
	}
	l.soonest = time.Time{}
	l.created = slices.DeleteFunc(l.created, func(sub *messaging.Subscription) bool {
		if expired(sub.Expires, now) {
			delete(l.to, sub.Subscriber)
			return true
		}
		l.expects(sub)
		return false
	})
	return before - len(l.created)
}

// expects notes when the subscription expires.
func (l *subscribers) expects(sub *messaging.Subscription) {
	if l.soonest.IsZero() || sub.Expires.Before(l.soonest) {
		l.soonest = sub.Expires
	}
}
