package crash

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Every kind of broken promise is found.
func TestGuiltyHistories(t *testing.T) {
	found := map[Kind]bool{}
	for _, c := range guilty {
		s := newStory()
		c.tell(s)
		vs := s.l.Violations()
		if !slices.ContainsFunc(vs, func(v Violation) bool { return v.Kind == c.kind }) {
			t.Errorf("%s, %s: not found; found %v", c.kind, c.name, vs)
		}
		found[c.kind] = true
	}
	for _, k := range []Kind{Lost, HalfPosted, HalfRemoved, Returned, Twice, Ghost, Corrupt, Misplaced, Disorder, Gap, Shared,
		ClaimLost, ClaimBack, Unclaimed, Overclaimed, Undead, Early, Miscounted, QueueState, Answer} {
		if !found[k] {
			t.Errorf("no history for %q", k)
		}
	}
}

var guilty = []struct {
	kind Kind
	name string
	tell func(*story)
}{
	{Lost, "an acknowledged post", func(s *story) { s.post("q", 1, 2); s.restart(of("", 2)) }},
	{Lost, "after a restart", func(s *story) { s.post("q", 1); s.restart(of("", 1)); s.restart() }},
	{Lost, "an unanswered post that was there", func(s *story) { s.begin("q", 1).Unknown(); s.restart(of("", 1)); s.restart() }},
	{Lost, "spared by an unanswered delete", func(s *story) {
		s.post("q", 1)
		s.l.Remove("w", "q", []string{"1"}, "").Unknown()
		s.restart(of("", 1))
		s.restart()
	}},
	{Lost, "after a delete that was not sent", func(s *story) {
		s.post("q", 1)
		s.l.Remove("w", "q", []string{"1"}, "").NotSent()
		s.restart()
	}},
	{Lost, "more than an unanswered pop takes", func(s *story) {
		s.post("q", 1, 2, 3)
		s.l.Pop("w", "q", 2).Unknown()
		s.restart()
	}},
	{Lost, "after the pop was accounted for", func(s *story) {
		s.post("q", 1, 2)
		s.l.Pop("w", "q", 1).Unknown()
		s.restart(of("", 1, 2))
		s.restart(of("", 2))
	}},
	{Lost, "neither in its queue nor a dead letter", func(s *story) {
		s.post("fragile", 1)
		s.claim("fragile", "a", 1)
		s.release("a")
		s.claim("fragile", "b", 1)
		s.release("b")
		s.restart()
	}},
	{Lost, "too early to be a dead letter", func(s *story) {
		s.post("fragile", 1)
		s.claim("fragile", "a", 1)
		s.release("a")
		s.l.Pop("w", "dead", 1).Unknown()
		s.restart()
	}},
	{Lost, "not found by id", func(s *story) { s.post("q", 1, 2); s.l.LookUp("w", "q", []string{"1", "2"}).Got(of("", 2)) }},
	{HalfPosted, "a batch in part", func(s *story) { s.begin("q", 1, 2, 3).Unknown(); s.restart(of("", 1, 3)) }},
	{HalfPosted, "a batch of which one was popped", func(s *story) {
		p := s.begin("q", 1, 2)
		s.pop("q", 1)
		p.Unknown()
		s.restart()
	}},
	{HalfRemoved, "a bulk delete in part", func(s *story) {
		s.post("q", 1, 2)
		s.l.Remove("w", "q", []string{"1", "2"}, "").Unknown()
		s.restart(of("", 1))
	}},
	{HalfRemoved, "a purge in part", func(s *story) {
		s.post("q", 1, 2)
		s.l.RemoveAll("w", "q").Unknown()
		s.restart(of("", 2))
	}},
	{Returned, "a delete", func(s *story) { s.post("q", 1); s.delete("q", "", 1); s.restart(of("", 1)) }},
	{Returned, "a delete, without a restart", func(s *story) { s.post("q", 1); s.delete("q", "", 1); s.l.LookFree("w", "q").Got(of("", 1)) }},
	{Returned, "a pop", func(s *story) { s.post("q", 1); s.pop("q", 1); s.restart(of("", 1)) }},
	{Returned, "a drop", func(s *story) { s.post("q", 1); s.l.RemoveAll("w", "q").Acked(); s.restart(of("", 1)) }},
	{Returned, "what an unanswered delete removed", func(s *story) {
		s.post("q", 1)
		s.l.Remove("w", "q", []string{"1"}, "").Unknown()
		s.restart()
		s.restart(of("", 1))
	}},
	{Twice, "listed twice", func(s *story) { s.post("q", 1); s.restart(of("", 1, 1)) }},
	{Twice, "with another id", func(s *story) {
		s.post("q", 1)
		s.restart(of("", 1), []Seen{{ID: "other", Body: body(1)}})
	}},
	{Twice, "an id given out again", func(s *story) { s.post("q", 1); s.begin("q", 2).Acked([]string{"1"}) }},
	{Twice, "seen with another id than acknowledged", func(s *story) {
		p := s.begin("q", 1)
		s.l.LookFree("w", "q").Got([]Seen{{ID: "other", Body: body(1)}})
		p.Acked([]string{"1"})
	}},
	{Twice, "in both queues", func(s *story) {
		s.post("fragile", 1)
		s.claim("fragile", "a", 1)
		s.release("a")
		s.claim("fragile", "b", 1)
		s.release("b")
		s.restartAll(map[string]Listing{"fragile": listing(of("", 1)), "dead": listing(of("", 1))})
	}},
	{Twice, "read twice", func(s *story) {
		s.post("q", 1)
		r := s.l.Reader("r", "q")
		r.Page().Got(of("", 1))
		r.Page().Got(of("", 1))
	}},
	{Ghost, "posted by nobody", func(s *story) { s.restart(of("", 1)) }},
	{Ghost, "a foreign body", func(s *story) { s.restart([]Seen{{ID: "1", Body: []byte("[]")}}) }},
	{Ghost, "a post that was not sent", func(s *story) { s.begin("q", 1).NotSent(); s.restart(of("", 1)) }},
	{Ghost, "a post that did not happen", func(s *story) { s.begin("q", 1).Unknown(); s.restart(); s.restart(of("", 1)) }},
	{Corrupt, "another body", func(s *story) {
		s.post("q", 1)
		s.restart([]Seen{{ID: "1", Body: []byte(strings.Replace(string(body(1)), "null", "0", 1))}})
	}},
	{Corrupt, "another message's body", func(s *story) {
		s.post("q", 1, 2)
		s.restart([]Seen{{ID: "1", Body: body(2)}, {ID: "2", Body: body(2)}})
	}},
	{Misplaced, "in another queue", func(s *story) {
		s.post("q", 1)
		s.restartAll(map[string]Listing{"q": listing(of("", 1)), "slow": listing(of("", 1))})
	}},
	{Misplaced, "back from the dead", func(s *story) {
		s.post("fragile", 1)
		s.claim("fragile", "a", 1)
		s.release("a")
		s.claim("fragile", "b", 1)
		s.release("b")
		s.restartAll(map[string]Listing{"dead": listing(of("", 1))})
		s.restartAll(map[string]Listing{"fragile": listing(of("", 1))})
	}},
	{Disorder, "listed", func(s *story) { s.post("q", 1); s.post("q", 2); s.restart(of("", 2, 1)) }},
	{Disorder, "within a batch", func(s *story) { s.post("q", 1, 2); s.restart(of("", 2, 1)) }},
	{Disorder, "read", func(s *story) {
		s.post("q", 1, 2)
		r := s.l.Reader("r", "q")
		r.Page().Got(of("", 2))
		r.Page().Got(of("", 1))
	}},
	{Gap, "skipped", func(s *story) { s.post("q", 1, 2); s.l.Reader("r", "q").Page().Got(of("", 2)) }},
	{Shared, "two claims", func(s *story) { s.post("q", 1); s.claim("q", "c", 1); s.claim("q", "d", 1) }},
	{Shared, "two claims at once", func(s *story) {
		s.post("q", 1)
		a, b := s.l.Claim("w", "q", 1, MinClaimTTL), s.l.Claim("w", "q", 1, MinClaimTTL)
		a.Acked("c", of("c", 1))
		b.Acked("d", of("d", 1))
	}},
	{Shared, "a claim before and after a restart", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.restart(of("c", 1))
		s.claim("q", "d", 1)
	}},
	{Shared, "a claim just short of expiring", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.wait(MinClaimTTL - 2*time.Second)
		s.claim("q", "d", 1)
	}},
	{Shared, "a claim after a renewal", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.l.Renew("w", "c", MaxClaimTTL).Acked()
		s.wait(MinClaimTTL + 5*time.Second)
		s.claim("q", "d", 1)
	}},
	{Shared, "with a claim that nobody was told of", func(s *story) {
		s.post("q", 1)
		s.l.Claim("w", "q", 1, MinClaimTTL).Unknown()
		s.restart(of("c", 1))
		s.claim("q", "d", 1)
	}},
	{Shared, "a claim and a pop", func(s *story) { s.post("q", 1); s.claim("q", "c", 1); s.pop("q", 1) }},
	{Shared, "a pop and a claim under way", func(s *story) {
		s.post("q", 1)
		k := s.l.Claim("w", "q", 1, MinClaimTTL)
		s.pop("q", 1)
		k.Acked("c", of("c", 1))
	}},
	{Shared, "two pops at once", func(s *story) {
		s.post("q", 1)
		p := s.l.Pop("w", "q", 1)
		s.pop("q", 1)
		p.Acked(of("", 1))
	}},
	{Shared, "claimed and listed as free", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.l.LookFree("w", "q").Got(of("", 1))
	}},
	{ClaimLost, "free after a restart", func(s *story) { s.post("q", 1); s.claim("q", "c", 1); s.restart(of("", 1)) }},
	{ClaimLost, "refused to delete", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.l.Remove("w", "q", []string{"1"}, "c").Refused(400)
	}},
	{ClaimLost, "refused to renew", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.l.Renew("w", "c", MinClaimTTL).Refused()
	}},
	{ClaimBack, "after its release", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.release("c")
		s.restart(of("c", 1))
	}},
	{ClaimBack, "after its expiry", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.wait(MinClaimTTL + 2*time.Second)
		s.restart(of("c", 1))
	}},
	{ClaimBack, "after an unanswered release happened", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.l.Release("w", "c").Unknown()
		s.restart(of("", 1))
		s.restart(of("c", 1))
	}},
	{ClaimBack, "with a message it was made without", func(s *story) {
		s.post("q", 1, 2)
		s.claim("q", "c", 1)
		s.restart(of("c", 1, 2))
	}},
	{Unclaimed, "by a claim that nobody made", func(s *story) { s.post("q", 1); s.restart(of("c", 1)) }},
	{Unclaimed, "by a claim larger than any asked for", func(s *story) {
		s.post("q", 1, 2)
		s.l.Claim("w", "q", 1, MinClaimTTL).Unknown()
		s.restart(of("c", 1, 2))
	}},
	{Unclaimed, "by more claims than were asked for", func(s *story) {
		s.post("q", 1, 2)
		s.l.Claim("w", "q", 1, MinClaimTTL).Unknown()
		s.restart(of("c", 1), of("d", 2))
	}},
	{Overclaimed, "a third time", func(s *story) {
		s.post("fragile", 1)
		s.claim("fragile", "a", 1)
		s.release("a")
		s.claim("fragile", "b", 1)
		s.release("b")
		s.claim("fragile", "c", 1)
	}},
	{Undead, "after one claim", func(s *story) {
		s.post("fragile", 1)
		s.claim("fragile", "a", 1)
		s.release("a")
		s.restartAll(map[string]Listing{"dead": listing(of("", 1))})
	}},
	{Early, "claimed", func(s *story) { s.post("slow", 1); s.wait(5 * time.Second); s.claim("slow", "c", 1) }},
	{Early, "popped", func(s *story) { s.post("slow", 1); s.wait(5 * time.Second); s.pop("slow", 1) }},
	{Early, "listed", func(s *story) { s.post("slow", 1); s.wait(5 * time.Second); s.l.LookFree("w", "slow").Got(of("", 1)) }},
	{Miscounted, "total", func(s *story) {
		s.post("q", 1)
		s.restartAll(map[string]Listing{"q": {Messages: of("", 1), Free: 2, Total: 2}})
	}},
	{Miscounted, "claimed", func(s *story) {
		s.post("q", 1)
		s.claim("q", "c", 1)
		s.restartAll(map[string]Listing{"q": {Messages: of("c", 1), Free: 1, Total: 1}})
	}},
	{Miscounted, "free", func(s *story) { s.restartAll(map[string]Listing{"q": {Free: 1}}) }},
	{QueueState, "older metadata", func(s *story) {
		s.l.Change("w", "a", State{Exists: true, Generation: 1}).Acked()
		s.l.Change("w", "a", State{Exists: true, Generation: 2}).Acked()
		s.l.VerifyQueues([]string{"a"}, map[string]State{"a": {Exists: true, Generation: 1}})
	}},
	{QueueState, "a lost queue", func(s *story) {
		s.l.Change("w", "a", State{Exists: true}).Acked()
		s.l.VerifyQueues(nil, nil)
	}},
	{QueueState, "a deleted queue", func(s *story) {
		s.l.Change("w", "a", State{Exists: true}).Acked()
		s.l.Change("w", "a", State{}).Acked()
		s.l.VerifyQueues([]string{"a"}, map[string]State{"a": {Exists: true}})
	}},
	{QueueState, "a queue nobody made", func(s *story) { s.l.VerifyQueues([]string{"a"}, map[string]State{"a": {Exists: true}}) }},
	{QueueState, "changing its mind", func(s *story) {
		s.l.Change("w", "a", State{Exists: true}).Unknown()
		s.l.VerifyQueues(nil, nil)
		s.l.VerifyQueues([]string{"a"}, map[string]State{"a": {Exists: true}})
	}},
	{QueueState, "listed out of order", func(s *story) {
		s.l.Change("w", "a", State{Exists: true}).Acked()
		s.l.Change("w", "b", State{Exists: true}).Acked()
		s.l.VerifyQueues([]string{"b", "a"}, map[string]State{"a": {Exists: true}, "b": {Exists: true}})
	}},
	{Answer, "fewer ids than messages", func(s *story) { s.begin("q", 1, 2).Acked([]string{"1"}) }},
	{Answer, "more than asked for", func(s *story) { s.post("q", 1, 2); s.l.Pop("w", "q", 1).Acked(of("", 1, 2)) }},
	{Answer, "a claim id again", func(s *story) { s.post("q", 1, 2); s.claim("q", "c", 1); s.claim("q", "c", 2) }},
	{Answer, "a claim of nothing", func(s *story) { s.claim("q", "c") }},
	{Answer, "claimed under another id", func(s *story) {
		s.post("q", 1)
		s.l.Claim("w", "q", 1, MinClaimTTL).Acked("c", of("d", 1))
	}},
	{Answer, "anything a worker finds wrong", func(s *story) { s.l.Wrong("status %d", 500) }},
}
