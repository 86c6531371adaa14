package storagetest

import (
	"time"

	"zaqar/storage"
)

func extensionPromises() []promise {
	return []promise{
		{"S76 a message shorter than the claim gets the claim's ttl", claimExtends},
		{"S77 grace is added to a life that is extended", claimExtendsByGrace},
		{"S78 a message that outlives the claim keeps its ttl", claimKeepsLonger},
		{"S79 the extended life is real", claimExtensionIsReal},
		{"S94 an extended message outlives the claim by the grace", claimGrace},
		{"an extension happens only to messages that would expire before the claim", claimExtensionEdge},
		{"renewing extends lives as claiming does", claimRenewExtends},
		{"release and expiry do not undo an extension", claimExtensionStays},
	}
}

// ttlAfter posts a message, claims it and returns its ttl then.
func (s *subject) ttlAfter(ttl, claimTTL, grace int64) int64 {
	s.Helper()
	s.put(inbox, alice, draft(ttl, 0, "1"))
	lease := s.claim(inbox, storage.Terms{TTL: claimTTL, Grace: grace, Limit: 1})
	m := s.one(inbox, lease.Messages[0].ID)
	s.same("what the claim returned", lease.Messages[0], m)
	return m.TTL
}

func (s *subject) ttlIs(ttl, claimTTL, grace, want int64) {
	s.Helper()
	if got := s.ttlAfter(ttl, claimTTL, grace); got != want {
		s.Errorf("message of %d under a claim of %d+%d has ttl %d, want %d", ttl, claimTTL, grace, got, want)
	}
}

func claimExtends(s *subject) { s.ttlIs(120, 777, 0, 777) }

func claimExtendsByGrace(s *subject) {
	s.ttlIs(120, 777, 23, 800)
	s.ttlIs(120, 121, 22, 143)
}

func claimKeepsLonger(s *subject) { s.ttlIs(120, 60, 30, 120) }

func claimExtensionIsReal(s *subject) {
	posted := s.put(inbox, alice, draft(60, 0, "1"), draft(60, 0, "2"))
	s.pass(30)
	lease := s.claim(inbox, storage.Terms{TTL: 100, Grace: 20, Limit: 1})
	s.pass(60) // past the life of both
	s.same("there", ids(s.all(inbox)), posted[:1])
	s.restartIfItCan()
	_, held := s.held(inbox, lease.Claim.ID)
	s.same("held", ids(held), posted[:1])
	s.pass(59.999)
	if m := s.one(inbox, posted[0]); m.TTL != 120 || m.Age(s.clock.Now()) != 149 {
		s.Errorf("ttl %d, age %d; want 120, 149", m.TTL, m.Age(s.clock.Now()))
	}
	s.pass(0.001)
	s.gone(inbox, posted...)
}

func claimGrace(s *subject) {
	id := s.put(inbox, alice, draft(70, 0, "1"))[0]
	s.pass(60)
	lease := s.claim(inbox, storage.Terms{TTL: 60, Grace: 30, Limit: 1})
	if m := s.one(inbox, id); !m.Expires.Equal(lease.Claim.Expires.Add(30 * time.Second)) {
		s.Errorf("the message expires at %v, the claim at %v", m.Expires, lease.Claim.Expires)
	}
}

func claimExtensionEdge(s *subject) {
	s.put(inbox, alice, draft(59, 0, "before"), draft(60, 0, "with"), draft(61, 0, "after"))
	var ttls []int64
	for _, m := range s.claim(inbox, storage.Terms{TTL: 60, Grace: 100, Limit: 3}).Messages {
		ttls = append(ttls, m.TTL)
	}
	s.same("ttls", ttls, []int64{160, 60, 61})
	s.pass(60)
	s.same("left", bodies(s.all(inbox)), []string{"before", "after"})
}

func claimRenewExtends(s *subject) {
	id := s.put(inbox, alice, draft(100, 0, "1"), draft(300, 0, "2"))
	a := s.take(inbox, 2).Claim.ID
	s.pass(50)
	s.renew(inbox, a, 60, 5)
	now := s.clock.Now()
	if m := s.one(inbox, id[0]); m.TTL != 65 || !m.Expires.Equal(now.Add(65*time.Second)) || m.Claims != 1 {
		s.Errorf("ttl %d until %v, claimed %d times; want 65 from %v, once", m.TTL, m.Expires, m.Claims, now)
	}
	if m := s.one(inbox, id[1]); m.TTL != 300 {
		s.Errorf("a message that lives on has ttl %d, want 300", m.TTL)
	}
	s.restartIfItCan()
	s.pass(64.999)
	s.one(inbox, id[0])
	s.pass(0.001)
	s.gone(inbox, id[0])
}

func claimExtensionStays(s *subject) {
	id := s.put(inbox, alice, draft(30, 0, "1"))[0]
	s.release(inbox, s.claim(inbox, storage.Terms{TTL: 60, Grace: 40, Limit: 1}).Claim.ID, 1)
	s.pass(50)
	if m := s.one(inbox, id); m.TTL != 100 || m.Claim != "" {
		s.Errorf("ttl %d under %q, want 100 under none", m.TTL, m.Claim)
	}
	s.pass(49.999)
	s.one(inbox, id)
	s.pass(0.001)
	s.gone(inbox, id)
}
