package storagetest

import (
	"fmt"
	"math"
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
		{"S37 a scan that hides the poster shows none of his messages", scanHides},
		{"S38 a page has up to the limit", scanLimit},
		{"S39 the page after the first has the rest", scanNextPage},
		{"S40 fetching gives the order of the ids, each once", fetchOrder},
		{"S41 fetching deleted messages gives none", fetchDeleted},
		{"S42 bodies of every JSON type come back", bodiesOfEveryType},
		{"S43 a key with a dot in a body survives", bodyWithDottedKey},
		{"S44 ids that were never given out find and delete nothing", messageNonsenseID},
		{"S45 a page after an unknown id is empty", scanAfterUnknown},
		{"S46 a page after the first message starts at the second", scanAfterFirst},
		{"S47 a page after a message that is gone continues at its place", scanAfterGone},
		{"S48 a message's id and position are the same marker", scanIDOrPosition},
		{"S49 claimed messages are shown without a marker", scanClaimedFromStart},
		{"S51 an expired message is shown by nothing", messageExpired},
		{"S52 a message is there until the instant it expires", messageExpiresAtOnce},
		{"bodies come back byte for byte", bodiesByteForByte},
		{"the caller may reuse what it passed and change what it got", slicesAreNotShared},
		{"bodies in an arena hold until it is reset", bodiesInArena},
		{"filters apply before the page is cut", scanFiltersFirst},
		{"a filtered scan pages through all that match", scanPagesWithFilters},
		{"ids are opaque words that are no positions", messageIDs},
		{"positions of a queue grow strictly and are never used twice", positionsGrow},
		{"positions are below 1<<53, and a scan after the largest number is empty", positionsBounded},
		{"a batch is adjacent", batchIsAdjacent},
		{"an empty batch stores nothing", batchEmpty},
		{"a batch of 1000 messages and one of large bodies are stored", batchLarge},
		{"the longest lifetime and client id are kept", messageLongLife},
	}
}

// follow reads the queue page by page as a client does and returns all of it.
func (s *subject) follow(q messaging.QueueRef, f storage.Scan) []messaging.Message {
	s.Helper()
	var list []messaging.Message
	for range 10_000 {
		page := s.scan(q, f)
		if len(page) == 0 {
			return list
		}
		if len(page) > f.Limit {
			s.Fatalf("a page of %d has %d", f.Limit, len(page))
		}
		list = append(list, page...)
		f.After, f.AfterID = page[len(page)-1].Position, ""
	}
	s.Fatal("the pages never end")
	return nil
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

func scanHides(s *subject) {
	s.post(inbox, 15)
	s.same("what alice sees", s.scan(inbox, storage.Scan{Limit: 20, Hide: alice}), []messaging.Message{})
	others := s.postAs(inbox, bob, 2)
	s.same("what alice sees", ids(s.scan(inbox, storage.Scan{Limit: 20, Hide: alice})), others)
	if n := len(s.scan(inbox, storage.Scan{Limit: 20})); n != 17 {
		s.Errorf("%d messages when none are hidden, want 17", n)
	}
	s.postAs(outbox, "", 1)
	if n := len(s.scan(outbox, storage.Scan{Limit: 20})); n != 1 {
		s.Error("an empty Hide hides the messages of an empty client id")
	}
}

func scanLimit(s *subject) {
	list := s.post(inbox, 15)
	s.same("limit 20", ids(s.scan(inbox, storage.Scan{Limit: 20})), list)
	s.same("limit 10", ids(s.scan(inbox, storage.Scan{Limit: 10})), list[:10])
	s.same("limit 1", ids(s.scan(inbox, storage.Scan{Limit: 1})), list[:1])
}

func scanNextPage(s *subject) {
	list := s.post(inbox, 15)
	first := s.scan(inbox, storage.Scan{Limit: 10})
	rest := s.scan(inbox, storage.Scan{Limit: 10, After: first[9].Position})
	s.same("second page", ids(rest), list[10:])
	s.same("third page", s.scan(inbox, storage.Scan{Limit: 10, After: rest[4].Position}), []messaging.Message{})
	s.same("all pages of 4", ids(s.follow(inbox, storage.Scan{Limit: 4})), list)
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

func scanAfterUnknown(s *subject) {
	s.post(inbox, 3)
	for _, id := range nonsense {
		list := s.scan(inbox, storage.Scan{AfterID: messaging.MessageID(id), Limit: 10})
		s.same(fmt.Sprintf("page after %q", id), list, []messaging.Message{})
	}
	foreign := s.h.Open(s.T, s.env)
	defer foreign.Close()
	put, err := foreign.Append(s.ctx(), inbox, alice, []messaging.Draft{draft(60, 0, "1")}, storage.AppendOptions{})
	id := put.IDs
	s.ok(err)
	s.same("page after an id of another store", s.scan(inbox, storage.Scan{AfterID: id[0], Limit: 10}), []messaging.Message{})
}

func scanAfterFirst(s *subject) {
	list := s.post(inbox, 3)
	first := s.one(inbox, list[0])
	s.same("page after the position", ids(s.scan(inbox, storage.Scan{After: first.Position, Limit: 10})), list[1:])
	s.same("page after the id", ids(s.scan(inbox, storage.Scan{AfterID: first.ID, Limit: 10})), list[1:])
	s.same("page after the last", s.scan(inbox, storage.Scan{AfterID: list[2], Limit: 10}), []messaging.Message{})
	s.same("page after 0", ids(s.scan(inbox, storage.Scan{After: 0, Limit: 10})), list)
	s.same("page after the largest position", s.scan(inbox, storage.Scan{After: 1<<64 - 1, Limit: 10}), []messaging.Message{})
}

func scanAfterGone(s *subject) {
	var list []messaging.MessageID
	for i := range 6 {
		ttl := int64(forever)
		if i == 2 {
			ttl = 30
		}
		list = append(list, s.put(inbox, alice, draft(ttl, 0, strconv.Itoa(i)))...)
	}
	all := s.all(inbox)
	s.pop(inbox, 1)                          // 0
	s.remove(inbox, storage.Hold{}, list[1]) // 1
	s.pass(30)                               // 2
	s.remove(inbox, storage.Hold{}, list[5]) // 5
	check := func() {
		s.Helper()
		for i, left := range []int{3, 3, 3, 4, 5, 5} {
			want := list[left:5]
			s.same(fmt.Sprint("page after the position of ", i), ids(s.scan(inbox, storage.Scan{After: all[i].Position, Limit: 10})), want)
			if !s.h.Placeless {
				s.same(fmt.Sprint("page after the id of ", i), ids(s.scan(inbox, storage.Scan{AfterID: list[i], Limit: 10})), want)
			}
		}
	}
	check()
	s.sweep()
	check()
	s.restartIfItCan()
	check()
	late := s.post(inbox, 1)
	s.same("page after the last deleted", ids(s.scan(inbox, storage.Scan{After: all[5].Position, Limit: 10})), late)
}

func scanIDOrPosition(s *subject) {
	list := s.post(inbox, 12)
	for i, m := range s.all(inbox) {
		want := list[i+1:]
		s.same("page after the position", ids(s.scan(inbox, storage.Scan{After: m.Position, Limit: 20})), want)
		s.same("page after the id", ids(s.scan(inbox, storage.Scan{AfterID: m.ID, Limit: 20})), want)
		s.same("page when both are given", ids(s.scan(inbox, storage.Scan{After: 1 << 62, AfterID: m.ID, Limit: 20})), want)
	}
}

func scanClaimedFromStart(s *subject) {
	list := s.post(inbox, 3)
	s.take(inbox, 2)
	s.same("with claimed", ids(s.scan(inbox, storage.Scan{Limit: 10, Claimed: true})), list)
	s.same("without", ids(s.scan(inbox, storage.Scan{Limit: 10})), list[2:])
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

func scanFiltersFirst(s *subject) {
	for range 10 {
		s.postAs(inbox, alice, 3)
		s.postAs(inbox, bob, 1)
	}
	if n := len(s.scan(inbox, storage.Scan{Limit: 5, Hide: alice})); n != 5 {
		s.Errorf("a page of 5 has %d of bob's 10 messages", n)
	}
	s.take(inbox, 30)
	if n := len(s.scan(inbox, storage.Scan{Limit: 10})); n != 10 {
		s.Errorf("a page of 10 has %d of 10 unclaimed messages", n)
	}
}

func scanPagesWithFilters(s *subject) {
	want := map[string][]messaging.MessageID{}
	for i := range 60 {
		by, key := alice, "alice"
		if i%3 == 0 {
			by, key = bob, "bob"
		}
		id := s.put(inbox, by, draft(forever, int64(i%2)*10, strconv.Itoa(i)))[0]
		want["all"] = append(want["all"], id)
		if i%2 == 0 {
			want["undelayed of "+key] = append(want["undelayed of "+key], id)
		}
	}
	s.same("all", ids(s.follow(inbox, storage.Scan{Limit: 7, Delayed: true})), want["all"])
	s.same("bob's", ids(s.follow(inbox, storage.Scan{Limit: 7, Hide: alice})), want["undelayed of bob"])
	s.same("alice's", ids(s.follow(inbox, storage.Scan{Limit: 7, Hide: bob})), want["undelayed of alice"])
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

func positionsBounded(s *subject) {
	s.post(inbox, 3)
	for _, m := range s.all(inbox) {
		if m.Position == 0 || m.Position >= 1<<53 {
			s.Errorf("position %d", m.Position)
		}
	}
	for _, after := range []messaging.Position{1 << 53, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
		s.same(fmt.Sprint("page after ", uint64(after)), len(s.scan(inbox, storage.Scan{After: after, Limit: 10})), 0)
	}
}

func positionsGrow(s *subject) {
	var last messaging.Position
	grows := func(n int) {
		s.Helper()
		var list []messaging.MessageID
		for range n {
			list = append(list, s.put(inbox, alice, draft(60, 0, "1"))...)
		}
		for _, m := range s.fetch(inbox, list...) {
			if m.Position <= last {
				s.Fatalf("position %d after %d", m.Position, last)
			}
			last = m.Position
		}
	}
	grows(3)
	s.pop(inbox, 10)
	grows(3)
	s.ok(s.Purge(s.ctx(), inbox))
	grows(3)
	s.ok(s.Drop(s.ctx(), inbox))
	grows(3)
	s.pass(60)
	s.sweep()
	grows(3)
	s.ok(s.Drop(s.ctx(), inbox))
	s.restartIfItCan()
	grows(3)
	s.pass(60)
	s.restartIfItCan()
	s.sweep()
	grows(3)
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
