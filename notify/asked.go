package notify

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"zaqar/messaging"
)

// asked remembers who was sent confirmation documents, and for whom, so that
// nobody makes the server write to strangers as often as he likes.
type asked struct {
	most int // documents for one project; 0: any number

	mu       sync.Mutex
	times    map[recipient]int
	projects map[messaging.Project]int
	since    time.Time
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

// room says whether a document could be sent on behalf of the project: nil, or
// Exceeded with when that will be.
func (a *asked) room(p messaging.Project, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(now)
	return a.within(p, now)
}

// take counts a document, unless there were too many: Exceeded.
func (a *asked) take(sub *messaging.Subscription, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn(now)
	project := sub.Source.Project
	if err := a.within(project, now); err != nil {
		return err
	}
	if len(a.times) >= mostKnown {
		clear(a.times) // the bound of each project holds on
	}
	key := recipient{project, address(sub.Subscriber)}
	if a.times[key] >= mostAsked {
		return messaging.E(messaging.Exceeded, "The subscriber was asked too often.")
	}
	a.times[key]++
	a.projects[project]++
	return nil
}

// turn begins to count anew when it is time. The caller holds a.mu.
func (a *asked) turn(now time.Time) {
	if age := now.Sub(a.since); a.times == nil || age < 0 || age >= askedTime {
		a.times, a.projects, a.since = map[recipient]int{}, map[messaging.Project]int{}, now
	}
}

// within refuses what is too much for the project. The caller holds a.mu.
func (a *asked) within(p messaging.Project, now time.Time) error {
	if a.most == 0 || a.projects[p] < a.most {
		return nil
	}
	return &messaging.Error{Kind: messaging.Exceeded, After: a.since.Add(askedTime).Sub(now),
		What: fmt.Sprintf("The project may have subscribers asked for confirmation %d times in %d minutes, and has done so.", a.most, askedTime/time.Minute)}
}

// address is where a subscriber is, for mails without what else is in the URI.
func address(subscriber string) string {
	if scheme, to, _ := strings.Cut(subscriber, ":"); strings.EqualFold(scheme, "mailto") {
		to, _, _ = strings.Cut(to, "?")
		return "mailto:" + strings.ToLower(to)
	}
	return subscriber
}
