package storagetest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

func messagePromises() []promise {
	return []promise{
		{"S34 a message is stored as posted, unclaimed", messageFields},
		{"S35 checksum and key id are kept as given", messageChecksum},
		{"S36 a deleted message is not found", messageDeleted},
		{"S40 fetching gives the order of the ids, each once", fetchOrder},
		{"S41 fetching deleted messages gives none", fetchDeleted},
		{"S42 bodies of every JSON type come back", bodiesOfEveryType},
		{"S43 a key with a dot in a body survives", bodyWithDottedKey},
		{"S44 ids that were never given out find and delete nothing", messageNonsenseID},
		{"S51 an expired message is shown by nothing", messageExpired},
		{"S52 a message is there until the instant it expires", messageExpiresAtOnce},
		{"bodies come back byte for byte", bodiesByteForByte},
		{"the caller may reuse what it passed and change what it got", slicesAreNotShared},
		{"bodies in an arena hold until it is reset", bodiesInArena},
		{"ids are opaque words that are no positions", messageIDs},
		{"a batch is adjacent", batchIsAdjacent},
		{"an empty batch stores nothing", batchEmpty},
		{"a batch of 1000 messages and one of large bodies are stored", batchLarge},
		{"the longest lifetime and client id are kept", messageLongLife},
	}
}

func messageFields(s *subject) {
	now := s.clock.Now()
	id := s.put(inbox, alice, draft(300, 0, `{"a":1}`))[0]
	want := messaging.Message{
		ID: id, Poster: alice, Posted: now, TTL: 300, Expires: now.Add(300 * time.Second), Body: []byte(`{"a":1}`),
	}
	s.pass(1)
	got := s.one(inbox, id)
	if got.Position == 0 {
		s.Error("position 0 stands before every message")
	}
	want.Position = got.Position
	s.same("fetched", got, want)
	s.same("scanned", s.all(inbox), []messaging.Message{want})
	delayed := s.put(inbox, alice, draft(300, 7, `{}`))[0]
	if at := s.one(inbox, delayed).Available; !at.Equal(s.clock.Now().Add(7 * time.Second)) {
		s.Errorf("a message delayed by 7 s is available at %v, now %v", at, s.clock.Now())
	}
}

func messageChecksum(s *subject) {
	const sum = "MD5:42b7b4f2921788ea14dac5566e6f06d0"
	d := messaging.Draft{TTL: 60, Body: []byte{0, 255, 1}, Key: "key-1", Checksum: sum}
	id := s.put(inbox, alice, d, draft(60, 0, "1"))
	s.restartIfItCan()
	if m := s.one(inbox, id[0]); m.Checksum != sum || m.Key != "key-1" {
		s.Errorf("checksum %q, key %q", m.Checksum, m.Key)
	}
	if m := s.one(inbox, id[1]); m.Checksum != "" || m.Key != "" {
		s.Errorf("checksum %q, key %q, want none", m.Checksum, m.Key)
	}
}

func messageDeleted(s *subject) {
	list := s.post(inbox, 3)
	s.remove(inbox, storage.Hold{}, list[1])
	s.gone(inbox, list[1])
	s.same("left", ids(s.all(inbox)), []messaging.MessageID{list[0], list[2]})
}

func fetchOrder(s *subject) {
	id := s.put(inbox, alice, draft(60, 0, "0"), draft(60, 0, "1"), draft(60, 9, "2"))
	s.take(inbox, 1)
	s.same("fetched", bodies(s.fetch(inbox, id[0], id[1])), []string{"0", "1"})
	s.same("fetched", bodies(s.fetch(inbox, id[2], "nope", id[0], id[2], id[1], id[0])), []string{"2", "0", "1"})
	s.same("fetched by no ids", s.fetch(inbox), []messaging.Message{})
}

func fetchDeleted(s *subject) {
	list := s.post(inbox, 5)
	s.remove(inbox, storage.Hold{}, list...)
	s.gone(inbox, list...)
}

func bodiesOfEveryType(s *subject) {
	s.keepsBodies([]string{
		"null", "false", "true", "0", "9007199254740992", "-1.5e10", `""`, "[]", "{}",
		`{"a":{"b":[1,{"c":null}]}}`, `{"a.b":1,"$set":2,"":3}`, `"\ud83d\ude00 😀 ` + "\u2028" + `"`,
	})
}

func bodyWithDottedKey(s *subject) {
	s.keepsBodies([]string{`{"event.data":{"x.y.z":"."}}`})
}

func bodiesByteForByte(s *subject) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	s.keepsBodies([]string{
		"", " ", "\x00", "\x00\x00", "a\x00b", string(all), "\xff\xfe", "😀", "\U0010ffff",
		` { "a" : 1 , "a" : 2 } `, "\r\n", strings.Repeat("\x00\n", 5000), strings.Repeat("😀", 20_000),
	})
}

// keepsBodies posts the bodies singly and as a batch and checks what scan,
// fetch and pop give back, after a restart too.
func (s *subject) keepsBodies(texts []string) {
	s.Helper()
	var batch []messaging.Draft
	for _, text := range texts {
		s.put(inbox, alice, draft(60, 0, text))
		batch = append(batch, draft(60, 0, text))
	}
	posted := s.put(outbox, alice, batch...)
	check := func() {
		s.Helper()
		s.same("scanned", bodies(s.all(inbox)), texts)
		s.same("scanned", bodies(s.all(outbox)), texts)
		s.same("fetched", bodies(s.fetch(outbox, posted...)), texts)
	}
	check()
	s.restartIfItCan()
	check()
	s.same("claimed", bodies(s.take(inbox, len(texts)).Messages), texts)
	s.same("popped", bodies(s.pop(outbox, len(texts))), texts)
}

func messageNonsenseID(s *subject) {
	list := s.post(inbox, 3)
	for _, id := range nonsense {
		id := messaging.MessageID(id)
		s.gone(inbox, id)
		s.remove(inbox, storage.Hold{}, id)
		s.remove(inbox, storage.Hold{Unclaimed: true}, id)
		s.remove(inbox, storage.Hold{By: []messaging.ClaimID{"nope"}}, id)
	}
	s.gone(inbox, "")
	s.remove(inbox, storage.Hold{}, "")
	s.same("left", ids(s.all(inbox)), list)
}

func messageExpired(s *subject) {
	list := s.put(inbox, alice, draft(1, 0, `"short"`), draft(600, 0, `"long"`))
	s.pass(1.5)
	s.same("fetched", ids(s.fetch(inbox, list...)), list[1:])
	s.same("scanned", ids(s.all(inbox)), list[1:])
	s.ends(inbox, list[1], list[1])
	s.counts(inbox, 1, 0)
	s.same("popped", bodies(s.pop(inbox, 10)), []string{`"long"`})
	s.put(outbox, alice, draft(1, 0, `"short"`), draft(600, 0, `"long"`))
	s.pass(1.5)
	s.same("claimed", bodies(s.take(outbox, 10).Messages), []string{`"long"`})
}

func messageExpiresAtOnce(s *subject) {
	list := s.put(inbox, alice, draft(60, 0, "1"))
	s.pass(59.999)
	s.one(inbox, list[0])
	s.counts(inbox, 1, 0)
	s.pass(0.001)
	s.gone(inbox, list...)
	s.counts(inbox, 0, 0)
	s.same("scanned", s.all(inbox), []messaging.Message{})
	s.same("popped", s.pop(inbox, 1), []messaging.Message{})
	s.same("claimed", s.take(inbox, 1), storage.Lease{})
}

func messageIDs(s *subject) {
	seen := map[string]bool{}
	check := func(id string) {
		s.Helper()
		if !messaging.ValidID(id) || seen[id] {
			s.Errorf("id %q is no word, or was given out twice", id)
		}
		if _, err := strconv.ParseUint(id, 10, 64); err == nil {
			s.Errorf("id %q reads as a position", id)
		}
		seen[id] = true
	}
	for _, q := range []messaging.QueueRef{inbox, alien, topic} {
		for _, id := range s.post(q, 50) {
			check(string(id))
		}
		check(string(s.take(q, 1).Claim.ID))
		sub, _, err := s.Subscribe(s.ctx(), messaging.Subscription{Source: q, Subscriber: "http://a", TTL: 60})
		s.ok(err)
		check(string(sub.ID))
	}
}

func batchIsAdjacent(s *subject) {
	const writers, batches, size = 8, 10, 7
	s.together(writers, func(w int) error {
		for b := range batches {
			var batch []messaging.Draft
			for i := range size {
				batch = append(batch, draft(60, 0, fmt.Sprintf(`"%d-%d-%d"`, w, b, i)))
			}
			if _, err := s.Append(s.ctx(), inbox, alice, batch, storage.AppendOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	list := s.all(inbox)
	if len(list) != writers*batches*size {
		s.Fatalf("%d messages, want %d", len(list), writers*batches*size)
	}
	for at := 0; at < len(list); at += size {
		var w, b int
		if _, err := fmt.Sscanf(string(list[at].Body), `"%d-%d-0"`, &w, &b); err != nil {
			s.Fatalf("a batch begins with %s", list[at].Body)
		}
		for i := range size {
			if want := fmt.Sprintf(`"%d-%d-%d"`, w, b, i); string(list[at+i].Body) != want {
				s.Fatalf("%s in the place of %s", list[at+i].Body, want)
			}
		}
	}
}

func batchEmpty(s *subject) {
	s.put(inbox, alice)
	s.counts(inbox, 0, 0)
}

func batchLarge(s *subject) {
	var many, big []messaging.Draft
	for i := range 1000 {
		many = append(many, draft(60, 0, strconv.Itoa(i)))
	}
	for i := range 4 {
		big = append(big, draft(60, 0, strings.Repeat(strconv.Itoa(i), 256<<10)))
	}
	s.put(inbox, alice, many...)
	s.same("bodies", bodies(s.all(inbox)), numbers(0, 1000))
	s.put(outbox, alice, big...)
	for i, m := range s.all(outbox) {
		if string(m.Body) != string(big[i].Body) {
			s.Errorf("body %d of %d bytes is damaged", i, len(big[i].Body))
		}
	}
}

func messageLongLife(s *subject) {
	const life = storage.MaxLifetime
	poster := messaging.ClientID(strings.Repeat("c", messaging.MaxClientIDSize))
	id := s.put(inbox, poster, draft(life, 0, "1"))[0]
	s.put(inbox, poster, draft(60, life, "2"))
	lease := s.claim(inbox, storage.Terms{TTL: life - 60, Grace: 60, Limit: 1})
	s.release(inbox, lease.Claim.ID, 1)
	s.clock.Advance((life - 1) * time.Second)
	m := s.one(inbox, id)
	if m.TTL != life || m.Age(s.clock.Now()) != life-1 || m.Poster != poster {
		s.Errorf("ttl %d, age %d, poster %q", m.TTL, m.Age(s.clock.Now()), m.Poster)
	}
	s.clock.Advance(time.Second)
	s.gone(inbox, id)
}

// bodiesInArena asks for pages and a claim with one arena, and again with the
// same memory.
func bodiesInArena(s *subject) {
	q := inbox
	for n := range 30 {
		s.put(q, alice, messaging.Draft{TTL: 600, Body: []byte(strconv.Quote(strings.Repeat(strconv.Itoa(n), 500)))})
	}
	want := s.all(q)
	arena := new(storage.Arena)
	for range 3 {
		list := s.scan(q, storage.Scan{Limit: 20, Claimed: true, Arena: arena})
		rest := s.scan(q, storage.Scan{Limit: 20, Claimed: true, Arena: arena, After: list[len(list)-1].Position})
		lease := s.claim(q, storage.Terms{TTL: 60, Limit: 5, Arena: arena})
		list = append(list, rest...)
		for i := range want {
			s.same("body", string(list[i].Body), string(want[i].Body))
		}
		for _, m := range lease.Messages {
			s.same("claimed body", string(m.Body), string(s.one(q, m.ID).Body))
		}
		arena.Reset(1 << 20)
	}
}
