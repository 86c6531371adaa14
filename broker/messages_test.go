package broker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"zaqar/broker"
	"zaqar/messaging"
)

func TestPostLimit(t *testing.T) {
	w := newWorld(t, func(c *broker.Config) { c.MaxMessagesPostSize = 1000 })
	w.create(queue("small"), `{"_max_messages_post_size":100}`)
	w.create(queue("null"), `{"_max_messages_post_size":null}`)
	w.create(topic("small"), `{"_max_messages_post_size":10}`)
	for _, tt := range []struct {
		q    messaging.QueueRef
		want int64
	}{{queue("missing"), 1000}, {queue("small"), 100}, {queue("null"), 1000}, {topic("small"), 10}, {topic("missing"), 1000}} {
		if p, err := w.BeginPost(w.ctx(), w.who, tt.q); err != nil || p.Limit() != tt.want {
			t.Errorf("%s %s: %d (%v), want %d", noun(tt.q), tt.q.Name, p.Limit(), err, tt.want)
		}
	}
	if err := w.Reconfigure(config(func(c *broker.Config) { c.MaxMessagesPostSize = 50 })); err != nil {
		t.Fatal(err)
	}
	if p, err := w.BeginPost(w.ctx(), w.who, queue("small")); err != nil || p.Limit() != 50 {
		t.Errorf("after the maximum was lowered: %d (%v), want 50", p.Limit(), err)
	}
	wantEqual(t, "queues", w.names(false), "null small")
}

func TestPostKeepsBodiesAsSent(t *testing.T) {
	w := newWorld(t)
	sent := []string{`null`, `true`, `0`, `1.0`, `1e5`, `""`, `"é\u00e9"`, `[]`, `[1, 2]`, `{}`, `{"a.b" : 1,"$c":2,"a.b":3}`}
	posted := w.post(q, sent...)
	wantEqual(t, "bodies", w.list(q, everything()), strings.Join(sent, " "))
	page := mustList(w, q)
	wantEqual(t, "ids", ids(page), posted)
	for _, m := range page.List {
		if m.TTL != 3600 || m.Poster != "me" || m.Claims != 0 || m.Claim != "" || m.Checksum != "" || m.Key != "" {
			t.Errorf("message %+v", m)
		}
	}
	wantEqual(t, "queues", w.names(false), "q")
	if !page.Now.Equal(w.clock.at) {
		t.Errorf("seen at %v, want %v", page.Now, w.clock.at)
	}
}

func TestRefusedPostsLeaveNothing(t *testing.T) {
	good := broker.Post{Body: []byte("1"), TTL: ptr[int64](60)}
	for _, tt := range []struct {
		name  string
		delay bool // on a delay queue
		posts []broker.Post
		words []string // empty: accepted
	}{
		{"none", false, nil, []string{"messages"}},
		{"no body", false, []broker.Post{good, {}}, []string{"messages[1].body"}},
		{"ttl 60", false, []broker.Post{good}, nil},
		{"ttl 1209600", false, []broker.Post{{Body: good.Body, TTL: ptr[int64](1209600)}}, nil},
		{"ttl 59", false, []broker.Post{good, good, {Body: good.Body, TTL: ptr[int64](59)}}, []string{"messages[2].ttl", "60 and 1209600", "59"}},
		{"ttl 1209601", false, []broker.Post{{Body: good.Body, TTL: ptr[int64](1209601)}}, []string{"messages[0].ttl"}},
		{"ttl 0", false, []broker.Post{{Body: good.Body, TTL: ptr[int64](0)}}, []string{"ttl"}},
		{"any delay", false, []broker.Post{{Body: good.Body, Delay: []byte(`"x"`)}, {Body: good.Body, Delay: []byte("-1")}}, nil},
		{"delay 0", true, []broker.Post{{Body: good.Body, Delay: []byte("0")}}, nil},
		{"delay 900", true, []broker.Post{{Body: good.Body, Delay: []byte("900")}}, nil},
		{"delay 901", true, []broker.Post{good, {Body: good.Body, Delay: []byte("901")}}, []string{"messages[1].delay", "0 and 900", "901"}},
		{"delay -1", true, []broker.Post{{Body: good.Body, Delay: []byte("-1")}}, []string{"delay"}},
		{"delay text", true, []broker.Post{{Body: good.Body, Delay: []byte(`"5"`)}}, []string{"delay", `"5"`}},
		{"delay null", true, []broker.Post{{Body: good.Body, Delay: []byte(`null`)}}, []string{"delay", "null"}},
		{"delay 1.5", true, []broker.Post{{Body: good.Body, Delay: []byte(`1.5`)}}, []string{"delay"}},
		{"delay true", true, []broker.Post{{Body: good.Body, Delay: []byte(`true`)}}, []string{"delay"}},
		{"delay 1e2", true, []broker.Post{{Body: good.Body, Delay: []byte(`1e2`)}}, []string{"delay"}},
	} {
		w := newWorld(t, func(c *broker.Config) {
			if tt.delay {
				c.DefaultMessageDelay = 3
			}
		})
		ids, err := w.PostMessages(w.ctx(), w.who, q, tt.posts)
		if len(tt.words) == 0 {
			if err != nil || len(ids) != len(tt.posts) {
				t.Errorf("%s: %d ids, %v", tt.name, len(ids), err)
			}
			continue
		}
		wantKind(t, err, messaging.Invalid, "%s", tt.name)
		wantText(t, err, tt.words...)
		wantEqual(t, tt.name+": messages", w.list(q, everything()), "")
		wantEqual(t, tt.name+": queues", w.names(false), "")
	}
}

func TestMessageTTL(t *testing.T) {
	w := newWorld(t, func(c *broker.Config) { c.DefaultMessageTTL = 500 })
	w.create(queue("own"), `{"_default_message_ttl":100}`)
	w.create(queue("null"), `{"_default_message_ttl":null}`)
	w.create(topic("own"), `{"_default_message_ttl":200}`)
	for _, tt := range []struct {
		q    messaging.QueueRef
		want int64
	}{{q, 500}, {queue("own"), 100}, {queue("null"), 500}, {topic("own"), 200}} {
		w.postAll(tt.q, broker.Post{Body: []byte("1")}, broker.Post{Body: []byte("2"), TTL: ptr[int64](77)})
		got := mustList(w, tt.q).List
		wantEqual(t, tt.q.Name+": ttl", []int64{got[0].TTL, got[1].TTL}, []int64{tt.want, 77})
	}
	if err := w.Reconfigure(config(func(c *broker.Config) { c.MaxMessageTTL, c.DefaultMessageTTL = 80, 80 })); err != nil {
		t.Fatal(err)
	}
	w.post(queue("own"), "3")
	wantEqual(t, "queue default above a lowered maximum", mustList(w, queue("own")).List[2].TTL, int64(80))
}

func TestExpiredMessagesAreGoneEverywhere(t *testing.T) {
	w := newWorld(t)
	id := w.postAll(q, broker.Post{Body: []byte("1"), TTL: ptr[int64](60)})[0]
	w.clock.move(59)
	wantEqual(t, "a second before", w.list(q, everything()), "1")
	wantEqual(t, "age", func() int64 { l := mustList(w, q); return l.List[0].Age(l.Now) }(), int64(59))
	w.clock.move(1)
	wantEqual(t, "list", w.list(q, everything()), "")
	_, err := w.GetMessage(w.ctx(), w.who, q, id)
	wantKind(t, err, messaging.NotFound, "get")
	_, err = w.GetMessages(w.ctx(), w.who, q, []messaging.MessageID{id})
	wantKind(t, err, messaging.NotFound, "get by ids")
	wantEqual(t, "claim", len(w.claim(q, 1).List), 0)
	popped, err := w.PopMessages(w.ctx(), w.who, q, 1)
	if err != nil || len(popped.List) != 0 {
		t.Errorf("popped %d (%v)", len(popped.List), err)
	}
	tally, _, _ := w.QueueStats(w.ctx(), w.who, q)
	wantEqual(t, "stats", tally, messaging.Tally{})
	wantKind(t, w.DeleteMessage(w.ctx(), w.who, q, id, "no/id"), "", "delete")
}

func TestDelayQueue(t *testing.T) {
	for _, tt := range []struct {
		name, metadata string
		configured     int64
		want           string // available at once, of a post without delay, one with 0 and one with 10
	}{
		{"plain", `{}`, 0, "none zero ten"},
		{"plain by 0", `{"_default_message_delay":0}`, 0, "none zero ten"},
		{"own delay", `{"_default_message_delay":5}`, 0, "zero"},
		{"configured", `{}`, 5, "zero"},
		{"configured, null stored", `{"_default_message_delay":null}`, 5, "zero"},
		{"configured, opted out", `{"_default_message_delay":0}`, 5, "none zero ten"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(c *broker.Config) { c.DefaultMessageDelay = tt.configured })
			w.create(q, tt.metadata)
			w.postAll(q, broker.Post{Body: []byte("none")}, broker.Post{Body: []byte("zero"), Delay: []byte("0")},
				broker.Post{Body: []byte("ten"), Delay: []byte("10")})
			echo := broker.ListMessages{Echo: true}
			wantEqual(t, "listed", w.list(q, echo), tt.want)
			wantEqual(t, "listed with the delayed", w.list(q, everything()), "none zero ten")
			all := mustList(w, q)
			got, err := w.GetMessages(w.ctx(), w.who, q, ids(all))
			if err != nil || len(got.List) != 3 {
				t.Errorf("got %d by ids (%v)", len(got.List), err)
			}
			if !strings.Contains(tt.want, "none") {
				w.clock.move(4)
				wantEqual(t, "listed after 4 s", w.list(q, echo), "zero")
				w.clock.move(1)
				wantEqual(t, "listed after 5 s", w.list(q, echo), "none zero")
				wantEqual(t, "claimed after 5 s", bodies(w.claim(q, 10).Messages), "none zero")
				popped, err := w.PopMessages(w.ctx(), w.who, q, 10)
				if err != nil || len(popped.List) != 0 {
					t.Errorf("popped %s after 5 s (%v)", bodies(popped), err)
				}
				w.clock.move(5)
				popped, _ = w.PopMessages(w.ctx(), w.who, q, 10)
				wantEqual(t, "popped after 10 s", bodies(popped), "ten")
			}
		})
	}
}

func TestDelayTurnedOffReleasesMessages(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_default_message_delay":100}`)
	w.post(q, "1", "2", "3")
	if _, err := w.PatchQueue(w.ctx(), w.who, q, ops("replace _default_message_delay 0")); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "listed", w.list(q, broker.ListMessages{Echo: true}), "1 2 3")
	popped, err := w.PopMessages(w.ctx(), w.who, q, 1)
	if err != nil || bodies(popped) != "1" {
		t.Errorf("popped %s (%v)", bodies(popped), err)
	}
	wantEqual(t, "claimed", bodies(w.claim(q, 1).Messages), "2")
}

func TestChecksums(t *testing.T) {
	const sum = "MD5:42b7b4f2921788ea14dac5566e6f06d0"
	w := newWorld(t, withKeys("k"))
	w.create(q, `{"_dead_letter_queue":"d","_max_claim_count":1}`)
	w.post(q, `{"a": 1}`)
	if err := w.Reconfigure(config(withKeys("k"), func(c *broker.Config) { c.Checksums = true })); err != nil {
		t.Fatal(err)
	}
	w.post(q, `{"a":1}`, `null`)
	if _, err := w.PatchQueue(w.ctx(), w.who, q, ops("add _enable_encrypt_messages true")); err != nil {
		t.Fatal(err)
	}
	w.post(q, `{ "a" : 1 }`)
	want := []string{"", sum, "", sum}
	sums := func(m broker.Messages) (list []string) {
		for _, m := range m.List {
			list = append(list, m.Checksum)
		}
		return list
	}
	wantEqual(t, "listed", sums(mustList(w, q)), want)
	wantEqual(t, "claimed", sums(w.claim(q, 10).Messages), want)
	w.clock.move(60)
	w.claim(q, 10)
	wantEqual(t, "dead letters", sums(mustList(w, queue("d"))), want)
	_, err := w.PostMessages(w.ctx(), w.who, q, []broker.Post{{Body: []byte(`{`)}})
	wantKind(t, err, messaging.Invalid, "a body that is no JSON")
}

func TestListFilters(t *testing.T) {
	w := newWorld(t)
	other := w.client("other")
	for i := range 5 {
		w.post(q, fmt.Sprintf("mine%d", i))
		if _, err := w.PostMessages(w.ctx(), other, q, []broker.Post{{Body: fmt.Appendf(nil, "other%d", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	three := ptr(3)
	wantEqual(t, "own hidden", w.list(q, broker.ListMessages{}), "other0 other1 other2 other3 other4")
	wantEqual(t, "filtered before the page is cut", w.list(q, broker.ListMessages{Limit: three}), "other0 other1 other2")
	wantEqual(t, "echo", w.list(q, broker.ListMessages{Limit: three, Echo: true}), "mine0 other0 mine1")
	view := w.claim(q, 3)
	wantEqual(t, "claimed hidden", w.list(q, broker.ListMessages{Limit: three, Echo: true}), "other1 mine2 other2")
	in := broker.ListMessages{Limit: three, Echo: true, IncludeClaimed: true}
	wantEqual(t, "claimed included", w.list(q, in), "mine0 other0 mine1")
	page, _ := w.ListMessages(w.ctx(), w.who, q, in)
	wantEqual(t, "claim shown", page.List[0].Claim, view.Claim.ID)
	nobody := w.client("")
	if page, err := w.ListMessages(w.ctx(), nobody, q, broker.ListMessages{Limit: three, IncludeClaimed: true}); err != nil || len(page.List) != 3 {
		t.Errorf("a caller without client id sees %s (%v)", bodies(page), err)
	}
	for _, limit := range []int{0, -1, 21} {
		_, err := w.ListMessages(w.ctx(), w.who, q, broker.ListMessages{Limit: &limit})
		wantKind(t, err, messaging.Invalid, "limit %d", limit)
		wantText(t, err, "limit", "1 and 20")
	}
	for _, wait := range []int64{-1, 21} {
		_, err := w.ListMessages(w.ctx(), w.who, q, broker.ListMessages{Wait: wait})
		wantKind(t, err, messaging.Invalid, "wait %d", wait)
		wantText(t, err, "wait", "0 and 20")
	}
}

func TestListMarkers(t *testing.T) {
	w := newWorld(t)
	wantEqual(t, "missing queue", w.list(q, broker.ListMessages{Echo: true}), "")
	w.post(q, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
	all := mustList(w, q)
	after := func(marker string, limit int) broker.Messages {
		t.Helper()
		page, err := w.ListMessages(w.ctx(), w.who, q, broker.ListMessages{Echo: true, Marker: marker, Limit: &limit})
		if err != nil {
			t.Fatalf("marker %q: %v", marker, err)
		}
		return page
	}
	for _, limit := range []int{1, 3, 10} {
		for _, marker := range []func(messaging.Message) string{
			func(m messaging.Message) string { return m.Position.String() },
			func(m messaging.Message) string { return string(m.ID) },
		} {
			got := ""
			at := ""
			for {
				page := after(at, limit)
				if len(page.List) == 0 {
					break
				}
				got += bodies(page) + "|"
				at = marker(page.List[len(page.List)-1])
			}
			want := strings.NewReplacer("1", "0|1|2|3|4|5|6|7|8|9|", "3", "0 1 2|3 4 5|6 7 8|9|").Replace(fmt.Sprint(limit))
			if limit == 10 {
				want = "0 1 2 3 4 5 6 7 8 9|"
			}
			wantEqual(t, fmt.Sprintf("pages of %d", limit), got, want)
		}
	}
	fourth := all.List[3]
	if err := w.DeleteMessage(w.ctx(), w.who, q, fourth.ID, ""); err != nil {
		t.Fatal(err)
	}
	wantEqual(t, "after a deleted message", bodies(after(fourth.Position.String(), 2)), "4 5")
	wantEqual(t, "from position 0", bodies(after("0", 2)), "0 1")
	for _, marker := range []string{"zzz", "a/b", "-1", "1.5", "99999999999999999999", strings.Repeat("x", 5000), "\x00"} {
		wantEqual(t, fmt.Sprintf("after %.20q", marker), len(after(marker, 10).List), 0)
	}
	last := all.List[9].Position.String()
	wantEqual(t, "after the last", bodies(after(last, 10)), "")
	w.post(q, "new")
	wantEqual(t, "after the last, later", bodies(after(last, 10)), "new")
	wantEqual(t, "the id of a message in another queue", bodies(func() broker.Messages {
		id := w.post(queue("other"), "x")[0]
		return after(string(id), 10)
	}()), "")
}

func TestGetMessages(t *testing.T) {
	w := newWorld(t)
	w.create(q, `{"_default_message_delay":100}`)
	posted := w.postAll(q, broker.Post{Body: []byte("0"), Delay: []byte("0")}, broker.Post{Body: []byte("1"), Delay: []byte("0")},
		broker.Post{Body: []byte("2")})
	claim := w.claim(q, 1)
	a, b, c := posted[0], posted[1], posted[2]
	foreign := w.post(queue("other"), "x")[0]
	for _, tt := range []struct {
		ids  []messaging.MessageID
		want string
		kind messaging.Kind
	}{
		{[]messaging.MessageID{a}, "0", ""},
		{[]messaging.MessageID{c, a, b}, "2 0 1", ""},
		{[]messaging.MessageID{b, b, a, b}, "1 0", ""},
		{[]messaging.MessageID{"zzz", a, "a/b", "", foreign, b}, "0 1", ""},
		{[]messaging.MessageID{"zzz", foreign, "1"}, "", messaging.NotFound},
		{[]messaging.MessageID{foreign}, "", messaging.NotFound},
		{nil, "", messaging.Invalid},
		{slices.Repeat([]messaging.MessageID{a}, 20), "0", ""},
		{slices.Repeat([]messaging.MessageID{a}, 21), "", messaging.Invalid},
	} {
		got, err := w.GetMessages(w.ctx(), w.client("other"), q, tt.ids)
		wantKind(t, err, tt.kind, "ids %q", tt.ids)
		wantEqual(t, fmt.Sprintf("ids %q", tt.ids), bodies(got), tt.want)
	}
	for _, id := range posted {
		got, err := w.GetMessage(w.ctx(), w.who, q, id)
		if err != nil || len(got.List) != 1 || got.List[0].ID != id || !got.Now.Equal(w.clock.at) {
			t.Errorf("get %s: %+v (%v)", id, got, err)
		}
	}
	got, _ := w.GetMessage(w.ctx(), w.who, q, a)
	wantEqual(t, "claim shown", got.List[0].Claim, claim.Claim.ID)
	for _, id := range []messaging.MessageID{"", "zzz", "a/b", foreign, "1", messaging.MessageID(strings.Repeat("x", 100))} {
		_, err := w.GetMessage(w.ctx(), w.who, q, id)
		wantKind(t, err, messaging.NotFound, "get %q", id)
	}
	_, err := w.GetMessage(w.ctx(), w.who, topic("q"), a)
	wantKind(t, err, messaging.NotFound, "get through the topic with the name")
}
