package notify

import (
	"strings"
	"sync"
	"time"

	"zaqar/messaging"
)

// asked remembers who was sent confirmation documents, so that nobody makes the
// server write to a stranger as often as he likes.
type asked struct {
	mu    sync.Mutex
	times map[recipient]int
	since time.Time
}

// recipient is a subscriber, whatever queues of the project he subscribed to.
type recipient struct {
	project    messaging.Project
	subscriber string
}

const (
	askedTime = 10 * time.Minute // counting begins anew then
	mostAsked = 10               // documents for one recipient
	mostKnown = 1 << 16          // recipients
)

func (a *asked) may(sub *messaging.Subscription, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if age := now.Sub(a.since); a.times == nil || age < 0 || age >= askedTime || len(a.times) >= mostKnown {
		a.times, a.since = map[recipient]int{}, now
	}
	subscriber := sub.Subscriber
	if scheme, address, _ := strings.Cut(subscriber, ":"); strings.EqualFold(scheme, "mailto") {
		address, _, _ = strings.Cut(address, "?")
		subscriber = "mailto:" + strings.ToLower(address)
	}
	key := recipient{sub.Source.Project, subscriber}
	if a.times[key] >= mostAsked {
		return false
	}
	a.times[key]++
	return true
}
