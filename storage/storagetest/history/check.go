package history

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// Violation is one broken promise.
type Violation struct {
	What  string
	Calls []string // that tell of it, oldest first
}

// String returns the violation with its calls.
func (v Violation) String() string {
	s := v.What
	for _, c := range v.Calls {
		s += "\n    " + c
	}
	return s
}

// life is what is known of one message.
type life struct {
	id    string
	queue string
	body  string
	post  *call // nil: nobody posted it
	index int   // in the post
	steps []*step
	skips []*call // claims and pops that had to take it if it was free
}

// checker sorts the calls by the messages they are about.
type checker struct {
	h      *History
	calls  []*call // in the order they began
	lives  map[string]*life
	claims map[string]*call // that made them
	found  []Violation
}

// Judge logs what the calls did and fails a test with what they prove to be
// broken. Repeat are the words that have the clients intend the same again.
func (h *History) Judge(t testing.TB, repeat string) {
	t.Helper()
	t.Log(h.Figures())
	found := h.Check()
	for _, v := range found[:min(len(found), 5)] {
		t.Error(v)
	}
	if len(found) > 0 {
		t.Fatalf("%d violations; %s repeats the intentions", len(found), repeat)
	}
}

// Check returns what the history proves to be broken.
func (h *History) Check() []Violation {
	k := &checker{h: h, calls: slices.Clone(h.calls), lives: map[string]*life{}, claims: map[string]*call{}}
	slices.SortFunc(k.calls, func(a, b *call) int { return cmp.Compare(a.begun, b.begun) })
	for _, c := range k.calls {
		k.know(c)
	}
	for _, c := range k.calls {
		k.place(c)
	}
	for _, id := range slices.Sorted(maps.Keys(k.lives)) {
		k.judge(k.lives[id])
	}
	k.order()
	return k.found
}

func (k *checker) violate(calls []*call, format string, args ...any) {
	v := Violation{What: fmt.Sprintf(format, args...)}
	for _, c := range calls {
		v.Calls = append(v.Calls, c.String())
	}
	k.found = append(k.found, v)
}

// life returns what is known of a message.
func (k *checker) life(queue, id string) *life {
	l := k.lives[id]
	if l == nil {
		l = &life{id: id, queue: queue}
		k.lives[id] = l
	}
	return l
}

// know takes in what a call made, and checks what needs no other call.
func (k *checker) know(c *call) {
	met := map[string]bool{}
	for i, m := range c.got {
		if met[m.ID] {
			k.violate([]*call{c}, "message %s is in an answer twice", m.ID)
		}
		met[m.ID] = true
		if c.kind != post {
			continue
		}
		l := k.life(c.queue, m.ID)
		if l.post != nil {
			k.violate([]*call{l.post, c}, "message id %s was given out twice", m.ID)
		}
		l.post, l.index, l.body = c, i, m.Body
	}
	if c.limit > 0 && len(c.got) > c.limit {
		k.violate([]*call{c}, "%d messages are more than %d", len(c.got), c.limit)
	}
	if c.kind == claim && c.claim != "" {
		if other := k.claims[c.claim]; other != nil {
			k.violate([]*call{other, c}, "claim id %s was given out twice", c.claim)
		}
		k.claims[c.claim] = c
	}
}

// place adds a call to the lives of the messages it is about.
func (k *checker) place(c *call) {
	about := map[string]bool{}
	add := func(id string) {
		if !about[id] {
			about[id] = true
			l := k.life(c.queue, id)
			l.steps = append(l.steps, &step{call: c, id: id, in: c.has(id), slack: int64(k.h.slack)})
		}
	}
	for _, m := range c.got {
		add(m.ID)
		if l := k.lives[m.ID]; l.post != nil && (l.body != m.Body || l.queue != c.queue) {
			k.violate([]*call{l.post, c}, "message %s is shown with another body or in another queue", m.ID)
		}
	}
	for _, id := range c.asked {
		add(id)
	}
	switch c.kind {
	case renew, release, held:
		if made := k.claims[c.claim]; made != nil {
			for _, m := range made.got {
				add(m.ID)
			}
		}
	case claim, pop:
		k.skipped(c)
	}
}

// skipped adds a claim or pop to the lives of the messages that it had to take
// if they were free: all others of the queue if it took fewer than it might,
// else those surely older than one that it took.
func (k *checker) skipped(c *call) {
	newest := c.begun // posts that began later are not in question
	if len(c.got) >= c.limit {
		newest = 0
		for _, m := range c.got {
			if p := k.lives[m.ID].post; p != nil {
				newest = max(newest, p.begun)
			}
		}
	}
	for _, l := range k.lives {
		if l.queue == c.queue && l.post != nil && l.post.ended < newest && !c.has(l.id) {
			l.skips = append(l.skips, c)
		}
	}
}

// judge finds out whether there is an order of the calls about a message.
func (k *checker) judge(l *life) {
	if l.post == nil {
		k.violate(callsOf(l.steps), "message %s was posted by nobody", l.id)
		return
	}
	steps := append(l.steps, k.telling(l)...)
	slices.SortFunc(steps, func(a, b *step) int { return cmp.Compare(a.begun, b.begun) })
	switch linearizable(steps) {
	case porcupine.Ok:
	case porcupine.Unknown:
		k.violate(callsOf(steps), "no order of the calls about message %s was found within %v", l.id, patience)
	default:
		k.violate(callsOf(steps), "the calls about message %s have no possible order", l.id)
	}
}

func callsOf(steps []*step) []*call {
	var all []*call
	for _, s := range steps {
		all = append(all, s.call)
	}
	return all
}

// telling returns those of the skips that say something: between the other
// steps, where nothing was under way that could have hidden the message, and of
// several between the same ones the latest, when the claim is likeliest to be
// over.
func (k *checker) telling(l *life) []*step {
	busy := merged(l.steps)
	latest := map[int]*call{}
	for _, c := range l.skips {
		i, overlaps := slices.BinarySearchFunc(busy, c, func(s span, c *call) int {
			switch {
			case s.to < c.begun:
				return -1
			case s.from > c.ended:
				return 1
			}
			return 0
		})
		if !overlaps && (latest[i] == nil || latest[i].from.Before(c.from)) {
			latest[i] = c
		}
	}
	var out []*step
	for _, c := range latest {
		out = append(out, &step{call: c, id: l.id, slack: int64(k.h.slack)})
	}
	return out
}

// span is the moments of calls that overlap.
type span struct{ from, to int64 }

func merged(steps []*step) []span {
	var out []span
	for _, s := range steps { // in the order they began
		if n := len(out); n > 0 && s.begun < out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.ended)
		} else {
			out = append(out, span{s.begun, s.ended})
		}
	}
	return out
}

// front is how far somebody who meets messages has come.
type front struct {
	met    map[string]bool
	newest *life // of those met, by the beginning of its post
	index  map[*call]int
}

func newFront() *front { return &front{met: map[string]bool{}, index: map[*call]int{}} }

// meet takes in the next message, and says what is wrong with that.
func (f *front) meet(l *life) (wrong string, calls []*call) {
	if l.post == nil || f.met[l.id] {
		return "", nil
	}
	f.met[l.id] = true
	if last, ok := f.index[l.post]; ok && last > l.index {
		wrong, calls = "behind those that follow it in its post", []*call{l.post}
	}
	f.index[l.post] = max(f.index[l.post], l.index)
	if f.newest != nil && l.post.ended < f.newest.post.begun {
		wrong, calls = "behind "+f.newest.id+", which was posted later", []*call{l.post, f.newest.post}
	}
	if f.newest == nil || f.newest.post.begun < l.post.begun {
		f.newest = l
	}
	return wrong, calls
}

// order checks that answers have the oldest messages first, and what the
// single takers of queues met first, and next.
func (k *checker) order() {
	queues := map[string]*front{}
	for _, c := range k.calls {
		fronts := []*front{newFront()}
		switch c.kind {
		case claim, pop:
			if queues[c.queue] == nil {
				queues[c.queue] = newFront()
			}
			if k.h.alone[c.queue] {
				fronts = append(fronts, queues[c.queue])
			}
		case held:
		default:
			continue
		}
		for _, m := range c.got {
			for _, f := range fronts {
				if wrong, calls := f.meet(k.lives[m.ID]); wrong != "" {
					k.violate(append(calls, c), "message %s is met %s", m.ID, wrong)
				}
			}
		}
	}
}

// Figures counts the calls of each kind, and how far the store's time went.
func (h *History) Figures() string {
	count := map[kind]int{}
	var from, to time.Time
	for _, c := range h.calls {
		count[c.kind]++
		if from.IsZero() || c.from.Before(from) {
			from = c.from
		}
		if c.to.After(to) {
			to = c.to
		}
	}
	s := fmt.Sprintf("%d calls in %v of the store's time:", len(h.calls), to.Sub(from))
	for i, name := range kindNames {
		s += fmt.Sprintf(" %d %s", count[kind(i)], name)
	}
	return s
}
