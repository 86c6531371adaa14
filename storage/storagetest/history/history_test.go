package history

import (
	"strings"
	"testing"
	"time"
)

// tale tells a history call by call. Messages have their ids for bodies.
type tale struct {
	h   *History
	now time.Time
}

func newTale() *tale {
	t := &tale{now: time.Unix(1_900_000_000, 0)}
	t.h = &History{now: func() time.Time { return t.now }, alone: map[string]bool{"single": true}}
	return t
}

func (t *tale) pass(seconds int) { t.now = t.now.Add(time.Duration(seconds) * time.Second) }

func messages(ids string) []Message {
	var out []Message
	for _, id := range strings.Fields(ids) {
		out = append(out, Message{id, id})
	}
	return out
}

// begin begins a call; the function returned ends it.
func (t *tale) begin(k kind, fill func(*call)) (end func()) {
	c := t.h.begin(1, k, "q")
	fill(c)
	return func() { t.h.end(c) }
}

func (t *tale) beginPost(ids string) func() {
	return t.begin(post, func(c *call) { c.got = messages(ids) })
}

func (t *tale) beginClaim(id string, ttl, limit int, ids string) func() {
	return t.begin(claim, func(c *call) {
		c.claim, c.ttl, c.limit, c.got = id, time.Duration(ttl)*time.Second, limit, messages(ids)
	})
}

func (t *tale) beginPop(limit int, ids string) func() {
	return t.begin(pop, func(c *call) { c.limit, c.got = limit, messages(ids) })
}

func (t *tale) beginRemove(id, claim string, ok bool) func() {
	return t.begin(remove, func(c *call) { c.asked, c.claim, c.ok = []string{id}, claim, ok })
}

func (t *tale) beginRenew(id string, ttl int, ok bool) func() {
	return t.begin(renew, func(c *call) { c.claim, c.ttl, c.ok = id, time.Duration(ttl)*time.Second, ok })
}

func (t *tale) beginRelease(id string) func() {
	return t.begin(release, func(c *call) { c.claim = id })
}

func (t *tale) post(ids string)                      { t.beginPost(ids)() }
func (t *tale) claim(id string, ttl int, ids string) { t.beginClaim(id, ttl, 5, ids)() }
func (t *tale) nothing(limit int)                    { t.beginClaim("", 60, limit, "")() }
func (t *tale) pop(ids string)                       { t.beginPop(5, ids)() }
func (t *tale) remove(id, claim string, ok bool)     { t.beginRemove(id, claim, ok)() }
func (t *tale) renew(id string, ttl int, ok bool)    { t.beginRenew(id, ttl, ok)() }
func (t *tale) release(id string)                    { t.beginRelease(id)() }
func (t *tale) held(id string, ok bool, ids string) {
	t.begin(held, func(c *call) { c.claim, c.ok, c.got = id, ok, messages(ids) })()
}
func (t *tale) look(asked, found string) {
	t.begin(look, func(c *call) { c.asked, c.got = strings.Fields(asked), messages(found) })()
}

// take is a claim by the only taker of a queue.
func (t *tale) single(k kind, id, ids string) {
	c := t.h.begin(1, k, "single")
	c.claim, c.got = id, messages(ids)
	if k != post {
		c.limit = len(c.got)
	}
	if k == claim {
		c.ttl = time.Minute
	}
	t.h.end(c)
}

// Histories that a correct store may have.
func TestInnocentHistories(t *testing.T) {
	for name, tell := range map[string]func(*tale){
		"a life": func(s *tale) {
			s.post("a")
			s.claim("c", 60, "a")
			s.remove("a", "c", true)
			s.nothing(5)
			s.look("a", "")
		},
		"a pop":                             func(s *tale) { s.post("a b"); s.look("a b", "a b"); s.pop("a b"); s.nothing(5) },
		"claimed while it was being posted": func(s *tale) { p := s.beginPost("a"); s.claim("c", 60, "a"); p() },
		"missed while it was being posted":  func(s *tale) { p := s.beginPost("a"); s.nothing(5); p(); s.claim("c", 60, "a") },
		"claimed again after its expiry":    func(s *tale) { s.post("a"); s.claim("c", 10, "a"); s.pass(10); s.claim("d", 10, "a") },
		"claimed again after a release":     func(s *tale) { s.post("a"); s.claim("c", 10, "a"); s.release("c"); s.claim("d", 10, "a") },
		"claimed again during a release": func(s *tale) {
			s.post("a")
			s.claim("c", 10, "a")
			r := s.beginRelease("c")
			s.claim("d", 10, "a")
			r()
		},
		"held in vain while another has it": func(s *tale) {
			s.post("a")
			s.claim("c", 10, "a")
			s.nothing(5)
			s.renew("c", 60, true)
			s.pass(30)
			s.nothing(5)
		},
		"expiry while time passes in a call": func(s *tale) { s.post("a"); s.claim("c", 10, "a"); k := s.beginClaim("d", 10, 5, "a"); s.pass(20); k() },
		"a dead claim": func(s *tale) {
			s.post("a")
			s.claim("c", 10, "a")
			s.pass(11)
			s.renew("c", 10, false)
			s.held("c", false, "")
			s.remove("a", "c", false)
			s.remove("a", "", true)
		},
		"a claim and what is left of it": func(s *tale) {
			s.post("a b")
			s.claim("c", 60, "a b")
			s.remove("a", "c", true)
			s.held("c", true, "b")
			s.renew("c", 60, true)
		},
		"refused without the claim": func(s *tale) {
			s.post("a")
			s.claim("c", 60, "a")
			s.remove("a", "", false)
			s.remove("a", "x", false)
			s.remove("a", "c", true)
		},
		"deleted twice":                       func(s *tale) { s.post("a"); s.remove("a", "", true); s.remove("a", "", true); s.remove("a", "x", true) },
		"a delete and a claim at once, one":   func(s *tale) { s.post("a"); r := s.beginRemove("a", "", true); s.nothing(5); r() },
		"a delete and a claim at once, other": func(s *tale) { s.post("a"); r := s.beginRemove("a", "", false); s.claim("c", 60, "a"); r() },
		"a full claim misses what is newer":   func(s *tale) { s.post("a"); s.post("b"); s.beginClaim("c", 60, 1, "a")() },
		"either order of posts at once": func(s *tale) {
			p := s.beginPost("a")
			s.post("b")
			p()
			s.beginClaim("c", 60, 1, "b")()
			s.claim("d", 60, "a")
		},
		"in order": func(s *tale) {
			s.single(post, "", "a b")
			s.single(post, "", "c")
			s.single(claim, "k", "a")
			s.single(claim, "l", "b c")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTale()
			tell(s)
			for _, v := range s.h.Check() {
				t.Error(v)
			}
		})
	}
}

// Every kind of broken promise is found.
func TestGuiltyHistories(t *testing.T) {
	for name, tell := range map[string]func(*tale){
		"two claims at once":        func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.claim("d", 60, "a") },
		"two claims that overlap":   func(s *tale) { s.post("a"); k := s.beginClaim("c", 60, 5, "a"); s.claim("d", 60, "a"); k() },
		"a claim and a pop":         func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.pop("a") },
		"two pops":                  func(s *tale) { s.post("a"); k := s.beginPop(5, "a"); s.pop("a"); k() },
		"claimed before its expiry": func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.pass(59); s.claim("d", 60, "a") },
		"claimed in spite of a renewal": func(s *tale) {
			s.post("a")
			s.claim("c", 10, "a")
			s.renew("c", 60, true)
			s.pass(11)
			s.claim("d", 60, "a")
		},
		"lost":                          func(s *tale) { s.post("a b"); s.claim("c", 60, "b") },
		"lost by a pop":                 func(s *tale) { s.post("a"); s.beginPop(5, "")() },
		"lost after a release":          func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.release("c"); s.nothing(5) },
		"lost after an expiry":          func(s *tale) { s.post("a"); s.claim("c", 10, "a"); s.pass(11); s.nothing(5) },
		"lost after a refused delete":   func(s *tale) { s.post("a"); s.claim("c", 10, "a"); s.remove("a", "", false); s.pass(11); s.nothing(5) },
		"not found":                     func(s *tale) { s.post("a"); s.look("a", "") },
		"passed over for what is newer": func(s *tale) { s.post("a"); s.post("b"); s.beginClaim("c", 60, 1, "b")() },
		"back after a delete":           func(s *tale) { s.post("a"); s.remove("a", "", true); s.claim("c", 60, "a") },
		"back after a delete with a claim": func(s *tale) {
			s.post("a")
			s.claim("c", 10, "a")
			s.remove("a", "c", true)
			s.pass(11)
			s.claim("d", 60, "a")
		},
		"back after a pop": func(s *tale) { s.post("a"); s.pop("a"); s.look("a", "a") },
		"posted by nobody": func(s *tale) { s.claim("c", 60, "a") },
		"with another body": func(s *tale) {
			s.post("a")
			s.begin(pop, func(c *call) { c.limit, c.got = 1, []Message{{"a", "b"}} })()
		},
		"deleted by a stranger": func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.remove("a", "", true) },
		"deleted with another claim": func(s *tale) {
			s.post("a b")
			s.beginClaim("c", 60, 1, "a")()
			s.claim("d", 60, "b")
			s.remove("a", "d", true)
		},
		"deleted with a released claim":    func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.release("c"); s.remove("a", "c", true) },
		"deleted with an expired claim":    func(s *tale) { s.post("a"); s.claim("c", 10, "a"); s.pass(11); s.remove("a", "c", true) },
		"not deleted with its claim":       func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.remove("a", "c", false) },
		"not deleted though free":          func(s *tale) { s.post("a"); s.remove("a", "", false) },
		"a live claim is unknown":          func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.renew("c", 60, false) },
		"a live claim has nothing":         func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.held("c", true, "") },
		"a dead claim is renewed":          func(s *tale) { s.post("a"); s.claim("c", 10, "a"); s.pass(11); s.renew("c", 60, true) },
		"a released claim is renewed":      func(s *tale) { s.post("a"); s.claim("c", 60, "a"); s.release("c"); s.renew("c", 60, true) },
		"a claim holds what it never took": func(s *tale) { s.post("a b"); s.beginClaim("c", 60, 1, "a")(); s.held("c", true, "a b") },
		"renewed after another claimed it": func(s *tale) {
			s.post("a")
			s.claim("c", 10, "a")
			s.pass(11)
			s.claim("d", 60, "a")
			s.renew("c", 60, true)
		},
		"more than asked for":                func(s *tale) { s.post("a b"); s.beginPop(1, "a b")() },
		"twice in an answer":                 func(s *tale) { s.post("a"); s.pop("a a") },
		"an id given out twice":              func(s *tale) { s.post("a"); s.pop("a"); s.post("a") },
		"a claim id given out twice":         func(s *tale) { s.post("a b"); s.beginClaim("c", 60, 1, "a")(); s.claim("c", 60, "b") },
		"in another queue":                   func(s *tale) { s.post("a"); s.single(claim, "c", "a") },
		"out of order in an answer":          func(s *tale) { s.post("a"); s.post("b"); s.claim("c", 60, "b a") },
		"out of order in a post's answer":    func(s *tale) { s.post("a b"); s.pop("b a") },
		"out of order in what a claim holds": func(s *tale) { s.post("a b"); s.claim("c", 60, "a b"); s.held("c", true, "b a") },
		"out of order": func(s *tale) {
			s.single(post, "", "a")
			s.single(post, "", "b")
			s.single(pop, "", "b")
			s.single(pop, "", "a")
		},
		"out of order within a post": func(s *tale) { s.single(post, "", "a b"); s.single(pop, "", "b"); s.single(pop, "", "a") },
	} {
		t.Run(name, func(t *testing.T) {
			s := newTale()
			tell(s)
			if len(s.h.Check()) == 0 {
				t.Error("nothing was found")
			}
		})
	}
}
