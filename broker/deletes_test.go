package broker_test

import (
	"slices"
	"testing"
	"time"

	"zaqar/broker"
	"zaqar/messaging"
)

func TestDeleteMessage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state string // of the message: free, claimed, expired, released, gone
		claim string // given: none, own, other, unknown, malformed
		want  messaging.Kind
	}{
		{"free", "free", "none", ""},
		{"free", "free", "other", messaging.NotClaimed},
		{"free", "free", "unknown", messaging.NotClaimed},
		{"free", "free", "malformed", messaging.Invalid},
		{"claimed", "claimed", "none", messaging.Claimed},
		{"claimed", "claimed", "own", ""},
		{"claimed", "claimed", "other", messaging.Claimed},
		{"claimed", "claimed", "unknown", messaging.Claimed},
		{"claimed", "claimed", "malformed", messaging.Invalid},
		{"claim expired", "expired", "none", ""},
		{"claim expired", "expired", "own", messaging.NotClaimed},
		{"claim released", "released", "none", ""},
		{"claim released", "released", "own", messaging.NotClaimed},
		{"gone", "gone", "none", ""},
		{"gone", "gone", "own", ""},
		{"gone", "gone", "other", ""},
		{"gone", "gone", "unknown", ""},
		{"gone", "gone", "malformed", ""},
	} {
		w := newWorld(t)
		given := map[string]messaging.ClaimID{"unknown": "beef", "malformed": "; DROP TABLE"}
		if tt.claim == "other" {
			w.post(q, "older")
			given["other"] = w.claim(q, 1).Claim.ID
		}
		id := w.post(q, "1")[0]
		if tt.state != "free" {
			given["own"] = w.claim(q, 1).Claim.ID
		}
		if tt.state == "expired" {
			w.clock.move(60)
		}
		switch tt.state {
		case "released":
			wantKind(t, w.ReleaseClaim(w.ctx(), w.who, q, given["own"]), "", "release")
		case "gone":
			wantKind(t, w.DeleteMessage(w.ctx(), w.who, q, id, given["own"]), "", "first deletion")
		}
		err := w.DeleteMessage(w.ctx(), w.who, q, id, given[tt.claim])
		wantKind(t, err, tt.want, "%s, claim_id %s", tt.name, tt.claim)
		_, err = w.GetMessage(w.ctx(), w.who, q, id)
		if gone := err != nil; gone != (tt.want == "") {
			t.Errorf("%s, claim_id %s: gone %v", tt.name, tt.claim, gone)
		}
	}
	w := newWorld(t)
	id := w.post(q, "1")[0]
	for _, r := range []messaging.QueueRef{queue("other"), topic("q")} {
		wantKind(t, w.DeleteMessage(w.ctx(), w.who, r, id, "; DROP"), "", "through another queue, with a malformed claim")
	}
	wantEqual(t, "messages", w.list(q, everything()), "1")
}

func TestDeleteMessages(t *testing.T) {
	w := newWorld(t)
	posted := w.post(q, "0", "1", "2", "3")
	w.claim(q, 1)
	wantKind(t, w.DeleteMessages(w.ctx(), w.who, q, nil, nil), messaging.Invalid, "no ids")
	wantKind(t, w.DeleteMessages(w.ctx(), w.who, q, slices.Repeat(posted[:1], 21), nil), messaging.Invalid, "21 ids")
	wantKind(t, w.DeleteMessages(w.ctx(), w.who, queue("missing"), posted, nil), "", "missing queue")
	wantKind(t, w.DeleteMessages(w.ctx(), w.who, q, []messaging.MessageID{"zzz", "a/b"}, nil), "", "unknown ids")
	wantEqual(t, "messages", w.list(q, everything()), "0 1 2 3")
	err := w.DeleteMessages(w.ctx(), w.who, q, []messaging.MessageID{posted[0], "zzz", posted[2], posted[2]}, []messaging.ClaimID{"ignored"})
	wantKind(t, err, "", "a claimed one, an unknown one, one twice")
	wantEqual(t, "messages", w.list(q, everything()), "1 3")
}

func TestDeleteMessagesWithClaims(t *testing.T) {
	w := newWorld(t, func(c *broker.Config) { c.DeleteNeedsClaims = true })
	posted := w.post(q, "0", "1", "2", "3", "4")
	first, second := w.claim(q, 2).Claim.ID, w.claim(q, 2).Claim.ID
	claims := func(ids ...messaging.ClaimID) []messaging.ClaimID { return ids }
	for _, tt := range []struct {
		name   string
		ids    []messaging.MessageID
		claims []messaging.ClaimID
		want   messaging.Kind
		left   string
	}{
		{"no claim_ids", posted[:1], nil, messaging.Invalid, "0 1 2 3 4"},
		{"empty claim_ids", posted[:1], claims(), messaging.Invalid, "0 1 2 3 4"},
		{"no ids", nil, claims(first), messaging.Invalid, "0 1 2 3 4"},
		{"one under another claim", posted[:3], claims(first), messaging.Claimed, "0 1 2 3 4"},
		{"one not claimed", posted[3:], claims(first, second), messaging.NotClaimed, "0 1 2 3 4"},
		{"another's before an unclaimed", posted, claims(first), messaging.Claimed, "0 1 2 3 4"},
		{"unknown and malformed claims", posted[:1], claims("beef", "a/b", ""), messaging.Claimed, "0 1 2 3 4"},
		{"unknown ids only", []messaging.MessageID{"zzz"}, claims(first), "", "0 1 2 3 4"},
		{"all covered", []messaging.MessageID{posted[0], posted[2], "zzz"}, claims("beef", second, first), "", "1 3 4"},
	} {
		wantKind(t, w.DeleteMessages(w.ctx(), w.who, q, tt.ids, tt.claims), tt.want, "%s", tt.name)
		wantEqual(t, tt.name+": messages", w.list(q, everything()), tt.left)
	}
	wantKind(t, w.DeleteMessage(w.ctx(), w.who, q, posted[4], ""), "", "single deletion is not concerned")
	w.clock.move(60)
	wantKind(t, w.DeleteMessages(w.ctx(), w.who, q, posted[1:2], claims(first)), messaging.NotClaimed, "expired claim")
	popped, err := w.PopMessages(w.ctx(), w.who, q, 5)
	if err != nil || bodies(popped) != "1 3" {
		t.Errorf("pop is not concerned: %s (%v)", bodies(popped), err)
	}
}

func TestPop(t *testing.T) {
	w := newWorld(t)
	for _, n := range []int{0, -1, 21} {
		_, err := w.PopMessages(w.ctx(), w.who, q, n)
		wantKind(t, err, messaging.Invalid, "pop %d", n)
		wantText(t, err, "pop", "1 and 20")
	}
	popped, err := w.PopMessages(w.ctx(), w.who, q, 20)
	if err != nil || len(popped.List) != 0 {
		t.Errorf("missing queue: %v (%v)", popped, err)
	}
	w.create(q, `{"_max_claim_count":1,"_dead_letter_queue":"d"}`)
	w.post(q, "0", "1", "2", "3")
	w.claim(q, 2)
	w.clock.move(60)
	popped, err = w.PopMessages(w.ctx(), w.who, q, 3)
	if err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "popped", bodies(popped), "0 1 2")
	wantEqual(t, "claims counted", []int{popped.List[0].Claims, popped.List[1].Claims, popped.List[2].Claims}, []int{1, 1, 0})
	for _, m := range popped.List {
		if m.Claim != "" || m.TTL != 3600 || m.Age(popped.Now) != 60 {
			t.Errorf("popped %+v", m)
		}
	}
	wantEqual(t, "left", w.list(q, everything()), "3")
	w.claim(q, 1)
	popped, _ = w.PopMessages(w.ctx(), w.who, q, 3)
	wantEqual(t, "a claimed one", bodies(popped), "")
	wantEqual(t, "dead letters", w.list(queue("d"), everything()), "")
}

func TestTopicMessages(t *testing.T) {
	w := newWorld(t)
	r := topic("news")
	posted := w.post(r, "1", "2")
	wantEqual(t, "topics", w.names(true), "news")
	wantEqual(t, "queues", w.names(false), "")
	wantEqual(t, "listed", w.list(r, everything()), "1 2")
	wantEqual(t, "queue with the name", w.list(queue("news"), everything()), "")
	got, err := w.GetMessage(w.ctx(), w.who, r, posted[1])
	if err != nil || bodies(got) != "2" {
		t.Errorf("get: %s (%v)", bodies(got), err)
	}
	wantKind(t, w.DeleteMessage(w.ctx(), w.who, r, posted[0], "beef"), messaging.NotClaimed, "delete with a claim")
	wantKind(t, w.DeleteMessage(w.ctx(), w.who, r, posted[0], ""), "", "delete")
	popped, err := w.PopMessages(w.ctx(), w.who, r, 5)
	if err != nil || bodies(popped) != "2" {
		t.Errorf("pop: %s (%v)", bodies(popped), err)
	}
	_, err = w.CreateClaim(w.ctx(), w.who, r, broker.CreateClaim{})
	wantKind(t, err, messaging.Unsupported, "claim")
}

// TestPostSurvivesADeletedQueue deletes the queue at every point of a post.
func TestPostSurvivesADeletedQueue(t *testing.T) {
	for _, at := range []string{"Queue", "Append"} {
		w := newWorld(t)
		store := &faulty{Store: w.store}
		once := false
		store.after = func(method string) {
			if method == at && !once {
				once = true
				if err := w.store.DeleteQueue(w.ctx(), q); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.create(q, `{"team":"a"}`)
		w.Broker = w.brokerOn(store, store, broker.Defaults())
		w.post(q, "1")
		wantEqual(t, "queues when deleted after "+at, w.names(false), "q")
		wantEqual(t, "messages when deleted after "+at, w.list(q, everything()), "1")
	}
}

func TestAgesCountFromPosting(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_default_message_delay":30}`)
	w.post(q, "1")
	w.clock.at = w.clock.at.Add(45*time.Second + 999*time.Millisecond)
	l := mustList(w, q)
	wantEqual(t, "age", l.List[0].Age(l.Now), int64(45))
}
