package crash

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// story tells a ledger what happened. Messages are numbers: n was posted by
// "p" with the id "n". Each step takes a moment.
type story struct {
	l   *Ledger
	now time.Time
}

func newStory() *story {
	s := &story{now: time.Unix(1_000_000, 0)}
	s.l = New(func() time.Time {
		s.now = s.now.Add(time.Millisecond)
		return s.now
	})
	s.l.Queue("q", Rules{})
	s.l.Queue("slow", Rules{Delay: 10 * time.Second})
	s.l.Queue("fragile", Rules{MaxClaims: 2, DeadLetters: "dead"})
	s.l.Queue("dead", Rules{})
	return s
}

func (s *story) wait(d time.Duration) { s.now = s.now.Add(d) }

func id(n int) string { return fmt.Sprint(n) }

func ids(ns []int) []string {
	var out []string
	for _, n := range ns {
		out = append(out, id(n))
	}
	return out
}

func body(n int) []byte { return Body("p", n, "null") }

// of returns the messages as shown under a claim, or none.
func of(claim string, ns ...int) []Seen {
	var out []Seen
	for _, n := range ns {
		out = append(out, Seen{ID: id(n), Claim: claim, Body: body(n)})
	}
	return out
}

func (s *story) begin(queue string, ns ...int) *Post {
	var ds []Draft
	for _, n := range ns {
		ds = append(ds, Draft{From: "p", N: n, Body: body(n)})
	}
	return s.l.Post("w", queue, ds)
}

func (s *story) post(queue string, ns ...int) { s.begin(queue, ns...).Acked(ids(ns)) }

func (s *story) delete(queue, claim string, ns ...int) {
	s.l.Remove("w", queue, ids(ns), claim).Acked()
}

func (s *story) claim(queue, name string, ns ...int) {
	s.l.Claim("w", queue, 10, MinClaimTTL).Acked(name, of(name, ns...))
}

func (s *story) release(claim string) { s.l.Release("w", claim).Acked() }

func (s *story) pop(queue string, ns ...int) { s.l.Pop("w", queue, 10).Acked(of("", ns...)) }

// listing is a listing with statistics that agree.
func listing(groups ...[]Seen) Listing {
	var g Listing
	for _, m := range slices.Concat(groups...) {
		g.Messages = append(g.Messages, m)
		g.Total++
		if m.Claim == "" {
			g.Free++
		} else {
			g.Claimed++
		}
	}
	return g
}

// restart is a crash and what is found in q then.
func (s *story) restart(q ...[]Seen) { s.restartAll(map[string]Listing{"q": listing(q...)}) }

func (s *story) restartAll(found map[string]Listing) {
	for _, name := range []string{"q", "slow", "fragile", "dead"} {
		if _, ok := found[name]; !ok {
			found[name] = Listing{}
		}
	}
	s.l.Restarted()
	s.l.Verify(s.l.now(), found)
}

var innocent = []struct {
	name string
	tell func(*story)
}{
	{"posts are there", func(s *story) {
		s.post("q", 1, 2)
		s.post("q", 3)
		s.restart(of("", 1, 2, 3))
		s.restart(of("", 1, 2, 3))
	}},
	{"an unanswered post happened", func(s *story) { s.begin("q", 1, 2).Unknown(); s.restart(of("", 1, 2)) }},
	{"an unanswered post did not happen", func(s *story) { s.begin("q", 1, 2).Unknown(); s.restart() }},
	{"a post was not sent", func(s *story) { s.begin("q", 1).NotSent(); s.restart() }},
	{"a post is seen before its answer", func(s *story) {
		p := s.begin("q", 1, 2)
		s.pop("q", 1)
		p.Acked([]string{"1", "2"})
		s.restart(of("", 2))
	}},
	{"a post is seen and gets no answer", func(s *story) {
		p := s.begin("q", 1, 2)
		s.pop("q", 1)
		p.Unknown()
		s.restart(of("", 2))
	}},
	{"deletes are gone", func(s *story) { s.post("q", 1, 2); s.delete("q", "", 1); s.restart(of("", 2)); s.restart(of("", 2)) }},
	{"an unanswered delete happened", func(s *story) {
		s.post("q", 1, 2)
		s.l.Remove("w", "q", []string{"1"}, "").Unknown()
		s.restart(of("", 2))
		s.restart(of("", 2))
	}},
	{"an unanswered delete did not happen", func(s *story) {
		s.post("q", 1, 2)
		s.l.Remove("w", "q", []string{"1", "2"}, "").Unknown()
		s.restart(of("", 1, 2))
		s.delete("q", "", 1)
		s.restart(of("", 2))
	}},
	{"of an unanswered delete one was deleted before", func(s *story) {
		s.post("q", 1, 2)
		s.delete("q", "", 1)
		s.l.Remove("w", "q", []string{"1", "2"}, "").Unknown()
		s.restart(of("", 2))
	}},
	{"a delete was not sent", func(s *story) {
		s.post("q", 1)
		s.l.Remove("w", "q", []string{"1"}, "").NotSent()
		s.restart(of("", 1))
	}},
	{"a list under way sees what is deleted meanwhile", func(s *story) {
		s.post("q", 1)
		k := s.l.LookFree("w", "q")
		s.delete("q", "", 1)
		k.Got(of("", 1))
	}},
	{"all is dropped", func(s *story) { s.post("q", 1, 2); s.l.RemoveAll("w", "q").Acked(); s.restart() }},
	{"pops are gone", func(s *story) { s.post("q", 1, 2); s.pop("q", 1); s.restart(of("", 2)) }},
	{"an unanswered pop took some", func(s *story) {
		s.post("q", 1, 2, 3)
		s.l.Pop("w", "q", 2).Unknown()
		s.restart(of("", 3))
	}},
	{"a claim lives on", func(s *story) {
		s.post("q", 1, 2, 3)
		s.claim("q", "c", 1, 2)
		s.restart(of("c", 1, 2), of("", 3))
		s.delete("q", "c", 1)
		s.release("c")
		s.restart(of("", 2, 3))
		s.claim("q", "d", 2, 3)
	}},
	{"a claim expires", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.wait(MinClaimTTL)
		s.l.Remove("w", "q", []string{"1"}, "c").Refused(400)
		s.claim("q", "d", 1)
		s.restart(of("d", 1))
	}},
	{"a renewed claim lives longer", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.wait(MinClaimTTL - 5*time.Second)
		s.l.Renew("w", "c", MinClaimTTL).Acked()
		s.wait(MinClaimTTL - 5*time.Second)
		s.restart(of("c", 1))
	}},
	{"an unanswered renewal leaves both open", func(s *story) {
		s.post("q", 1, 2)
		s.claim("q", "c", 1)
		s.claim("q", "d", 2)
		s.l.Renew("w", "c", MaxClaimTTL).Unknown()
		s.l.Renew("w", "d", MaxClaimTTL).Unknown()
		s.wait(MinClaimTTL + 5*time.Second)
		s.restart(of("c", 1), of("", 2))
	}},
	{"an unanswered claim happened", func(s *story) {
		s.post("q", 1, 2)
		s.l.Claim("w", "q", 2, MinClaimTTL).Unknown()
		s.restart(of("c", 1, 2))
		s.restart(of("c", 1, 2))
		s.release("c")
		s.claim("q", "d", 1)
	}},
	{"an unanswered claim did not happen", func(s *story) {
		s.post("q", 1)
		s.l.Claim("w", "q", 2, MinClaimTTL).Unknown()
		s.restart(of("", 1))
	}},
	{"an unanswered release happened", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.l.Release("w", "c").Unknown()
		s.restart(of("", 1))
		s.claim("q", "d", 1)
	}},
	{"an unanswered release did not happen", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.l.Release("w", "c").Unknown()
		s.restart(of("c", 1))
		s.l.Renew("w", "c", MinClaimTTL).Acked()
		s.restart(of("c", 1))
	}},
	{"a claim taken while another is released", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		k := s.l.Claim("w", "q", 1, MinClaimTTL)
		e := s.l.Release("w", "c")
		k.Acked("d", of("d", 1))
		e.Acked()
	}},
	{"a renewal of a claim without messages is refused", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.delete("q", "c", 1)
		s.l.Renew("w", "c", MinClaimTTL).Refused()
	}},
	{"a delayed message in time", func(s *story) {
		s.post("slow", 1)
		s.restartAll(map[string]Listing{"slow": listing(of("", 1))}) // delayed ones are listed
		s.wait(10 * time.Second)
		s.claim("slow", "c", 1)
	}},
	{"a dead letter", func(s *story) {
		s.post("fragile", 1)
		s.claim("fragile", "a", 1)
		s.release("a")
		s.claim("fragile", "b", 1)
		s.release("b")
		s.restartAll(map[string]Listing{"dead": listing(of("", 1))})
		s.claim("dead", "c", 1)
		s.delete("dead", "c", 1)
		s.restart()
	}},
	{"a dead letter popped without an answer", func(s *story) {
		s.post("fragile", 1)
		s.claim("fragile", "a", 1)
		s.release("a")
		s.claim("fragile", "b", 1)
		s.release("b")
		s.l.Pop("w", "dead", 1).Unknown()
		s.restart()
	}},
	{"killed between taking and moving dead letters", func(s *story) {
		s.post("fragile", 1, 2)
		s.claim("fragile", "a", 1)
		s.release("a")
		s.claim("fragile", "b", 1)
		s.release("b")
		s.l.Claim("w", "fragile", 1, MinClaimTTL).Unknown()
		s.restartAll(map[string]Listing{"fragile": listing(of("c", 1, 2))})
	}},
	{"a reader sees all", func(s *story) {
		r := s.l.Reader("r", "q")
		s.post("q", 1, 2)
		r.Page().Got(of("", 1, 2))
		s.begin("q", 3).Unknown()
		s.restart(of("", 1, 2))
		s.post("q", 4)
		r.Page().Got(nil)
		r.Page().Got(of("", 4))
	}},
	{"queues", func(s *story) {
		s.l.Change("w", "a", State{Exists: true, Generation: 1}).Acked()
		s.l.Change("w", "a", State{Exists: true, Generation: 2}).Acked()
		s.l.Change("w", "b", State{Exists: true}).Acked()
		s.l.Change("w", "b", State{}).Unknown()
		s.l.Change("w", "c", State{Exists: true}).Unknown()
		s.l.Change("w", "d", State{Exists: true}).NotSent()
		s.l.VerifyQueues([]string{"a", "c"}, map[string]State{"a": {Exists: true, Generation: 2}, "c": {Exists: true}})
		s.l.VerifyQueues([]string{"a", "c"}, map[string]State{"a": {Exists: true, Generation: 2}, "c": {Exists: true}})
	}},
}

func TestInnocentHistories(t *testing.T) {
	for _, c := range innocent {
		s := newStory()
		c.tell(s)
		for _, v := range s.l.Violations() {
			t.Errorf("%s: %v", c.name, v)
		}
	}
}

func TestViolationTellsTheHistory(t *testing.T) {
	s := newStory()
	s.post("q", 1)
	s.delete("q", "", 1)
	s.restart(of("", 1))
	got := fmt.Sprint(s.l.Violations()[0])
	for _, want := range []string{"returned: message p/1 (id 1, queue q)", "posts it, 1 of 1", "post acknowledged",
		"removes it from q", "removal acknowledged", "life 2, verify: listed"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestTally(t *testing.T) {
	s := newStory()
	s.post("q", 1, 2, 3, 4)
	s.begin("q", 5).Unknown()
	s.claim("q", "c", 1, 2)
	s.delete("q", "c", 1)
	s.release("c")
	s.pop("q", 2)
	s.l.Pop("w", "q", 1).Unknown()
	s.l.Change("w", "a", State{Exists: true}).Acked()
	if got, want := s.l.Tally(), (Tally{Posted: 4, Removed: 1, Popped: 1, Claimed: 2, Released: 1, Changed: 1, Unknown: 2}); got != want {
		t.Errorf("tally %+v, want %+v", got, want)
	}
}

func TestFindsTheAddress(t *testing.T) {
	for _, line := range []string{
		`time=2026-01-01T00:00:00Z level=INFO msg=listening address=http://127.0.0.1:4711 version=devel`,
		`{"time":"2026-01-01T00:00:00Z","level":"INFO","msg":"listening","address":"http://127.0.0.1:4711"}`,
	} {
		o := &output{address: make(chan string, 1)}
		text := "msg=\"store open\"\n" + line + "\n"
		for i := range len(text) {
			fmt.Fprint(o, text[i:i+1])
		}
		select {
		case got := <-o.address:
			if got != "http://127.0.0.1:4711" {
				t.Errorf("address %q in %s", got, line)
			}
		default:
			t.Errorf("no address in %s", line)
		}
	}
}
