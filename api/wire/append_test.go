package wire

import (
	"encoding/json"
	"testing"
	"time"

	"zaqar/broker"
	"zaqar/messaging"
)

var (
	posted = time.Date(2031, 5, 4, 10, 0, 0, 0, time.FixedZone("", 7200))
	page   = broker.Messages{Now: posted.Add(12900 * time.Millisecond), List: []messaging.Message{
		{ID: "m1", Posted: posted, TTL: 300, Body: []byte(`{ "a":1.0}`), Claim: "c-1", Checksum: "MD5:x", Claims: 2},
		{ID: "m2", Posted: posted.Add(time.Hour), TTL: 60, Body: []byte("null")},
	}}
	queue = messaging.QueueRef{Project: "p", Name: "q"}
	topic = messaging.QueueRef{Project: "p", Name: "q", Topic: true}
)

// TestAppend pins the answers to the byte: members, their order and their
// form are what clients were written against.
func TestAppend(t *testing.T) {
	two := 2
	for name, c := range map[string]struct{ got, want string }{
		"messages": {string(AppendMessages(nil, queue, page, []byte("/v2/queues/q/messages?marker=\"2"))),
			`{"messages":[{"id":"m1","href":"/v2/queues/q/messages/m1?claim_id=c-1","ttl":300,"age":12,"body":{ "a":1.0},"checksum":"MD5:x"},` +
				`{"id":"m2","href":"/v2/queues/q/messages/m2","ttl":60,"age":0,"body":null}],` +
				`"links":[{"rel":"next","href":"/v2/queues/q/messages?marker=\"2"}]}`},
		"no messages": {string(AppendMessages(nil, queue, broker.Messages{}, []byte("x"))), `{"messages":[],"links":[]}`},
		"found": {string(AppendFound(nil, topic, broker.Messages{Now: posted, List: page.List[1:]})),
			`{"messages":[{"id":"m2","href":"/v2/topics/q/messages/m2","ttl":60,"age":0,"body":null}]}`},
		"message": {string(AppendMessage(nil, queue, broker.Messages{Now: posted, List: page.List[1:]})),
			`{"id":"m2","href":"/v2/queues/q/messages/m2","ttl":60,"age":0,"body":null}`},
		"popped": {string(AppendPopped(nil, page)),
			`{"messages":[{"id":"m1","age":12,"ttl":300,"claim_count":2,"claim_id":null,"body":{ "a":1.0},"checksum":"MD5:x"},` +
				`{"id":"m2","age":0,"ttl":60,"claim_count":0,"claim_id":null,"body":null}]}`},
		"nothing popped": {string(AppendPopped(nil, broker.Messages{})), `{"messages":[]}`},
		"posted": {string(AppendPosted(nil, queue, []messaging.MessageID{"a", "b"})),
			`{"resources":["/v2/queues/q/messages/a","/v2/queues/q/messages/b"]}`},
		"claim": {string(AppendClaim(nil, queue, broker.ClaimView{
			Claim:    messaging.Claim{ID: "c-1", TTL: 100, Renewed: posted.Add(5 * time.Second)},
			Messages: broker.Messages{Now: page.Now, List: page.List[:1]}})),
			`{"age":7,"ttl":100,"href":"/v2/queues/q/claims/c-1","messages":[{"id":"m1","href":"/v2/queues/q/messages/m1?claim_id=c-1",` +
				`"ttl":300,"age":12,"body":{ "a":1.0},"checksum":"MD5:x"}]}`},
		"stats": {string(AppendStats(nil, queue, messaging.Tally{Total: 3, Claimed: 1, Oldest: &page.List[0], Newest: &page.List[1]}, page.Now)),
			`{"messages":{"claimed":1,"free":2,"total":3,"oldest":{"age":12,"created":"2031-05-04T08:00:00Z","href":"/v2/queues/q/messages/m1"},` +
				`"newest":{"age":0,"created":"2031-05-04T09:00:00Z","href":"/v2/queues/q/messages/m2"}}}`},
		"no stats": {string(AppendStats(nil, queue, messaging.Tally{}, page.Now)), `{"messages":{"claimed":0,"free":0,"total":0}}`},
		"queues": {string(AppendQueues(nil, Queues{List: []messaging.Queue{{Ref: queue}}, Count: &two, Next: "/v2/queues?marker=q"})),
			`{"queues":[{"name":"q","href":"/v2/queues/q"}],"links":[{"rel":"next","href":"/v2/queues?marker=q"}],"count":2}`},
		"topics": {string(AppendQueues(nil, Queues{Topics: true, Detailed: true, List: []messaging.Queue{{Ref: topic}}, Next: "n"})),
			`{"topics":[{"name":"q","metadata":{},"href":"/v2/topics/q"}],"links":[{"rel":"next","href":"n"}]}`},
		"health": {string(AppendHealth(nil, broker.Health{StorageReachable: true, Free: 3, Claimed: 1, Steps: []broker.HealthStep{
			{Name: "create_queue", Succeeded: true, Seconds: 0.0000021}, {Name: "post_messages", Seconds: 1, Ref: "r"}}})),
			`{"storage_reachable":true,"operation_status":{"create_queue":{"succeeded":true,"seconds":0.0000021,"ref":null},` +
				`"post_messages":{"succeeded":false,"seconds":1,"ref":"r"}},"message_volume":{"free":3,"claimed":1,"total":4}}`},
		"error": {string(AppendError(nil, "T", "a \"quoted\" \x00\xff text")),
			`{"title":"T","description":"a \"quoted\" \u0000` + "\ufffd" + ` text"}`},
		"unauthenticated": {string(AppendUnauthenticated(nil, "no")), `{"error":{"code":401,"title":"Unauthorized","message":"no"}}`},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, c.got, c.want)
		}
		if !json.Valid([]byte(c.got)) {
			t.Errorf("%s is malformed", name)
		}
	}
}

func TestAppendVersions(t *testing.T) {
	var doc struct {
		Versions []struct{ Links []struct{ Href string } }
	}
	if err := json.Unmarshal(AppendVersions(nil, "/messaging"), &doc); err != nil || doc.Versions[0].Links[0].Href != "/messaging/v2/" {
		t.Errorf("%+v, %v", doc, err)
	}
}

func BenchmarkPosts(b *testing.B) {
	raw := []byte(`{"messages":[{"ttl":300,"body":{"event":"` + string(make1k()) + `"}}]}`)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	var r Reader
	for b.Loop() {
		if _, err := r.Posts(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendMessages(b *testing.B) {
	list := broker.Messages{Now: posted}
	for range 10 {
		list.List = append(list.List, messaging.Message{ID: "0123456789abcdef01234567", TTL: 300, Posted: posted, Body: append([]byte{'"'}, append(make1k(), '"')...)})
	}
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		dst = AppendMessages(dst[:0], queue, list, []byte("/v2/queues/q/messages?marker=10"))
	}
}

func make1k() []byte {
	text := make([]byte, 1024)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	return text
}

// TestLargePagesGrowOnce: many clients that read large pages slowly must not
// cost many times what they are sent.
func TestLargePagesGrowOnce(t *testing.T) {
	large := broker.Messages{Now: posted}
	for range 20 {
		large.List = append(large.List, messaging.Message{ID: "dba6e3bf0000000000000001", Claim: "dba6e3bf0000000000000002",
			Posted: posted, TTL: 300, Checksum: "MD5:d41d8cd98f00b204e9800998ecf8427e", Body: make([]byte, 100_000)})
	}
	head := func() []byte { return make([]byte, 0, 512) } // room for what stands before a page
	for name, write := range map[string]func() []byte{
		"messages": func() []byte { return AppendMessages(head(), queue, large, []byte("/v2/queues/q/messages?marker=2")) },
		"found":    func() []byte { return AppendFound(head(), queue, large) },
		"popped":   func() []byte { return AppendPopped(head(), large) },
		"claim":    func() []byte { return AppendClaim(head(), queue, broker.ClaimView{Messages: large}) },
	} {
		out := write()
		if spare := cap(out) - len(out); spare > len(out)/50 {
			t.Errorf("%s: %d bytes to spare behind %d", name, spare, len(out))
		}
		// The head, the page, and what the race detector makes of growing it. The
		// least of several counts, because the
		// runtime's own allocations are in them.
		least := testing.AllocsPerRun(3, func() { out = write() })
		for range 5 {
			least = min(least, testing.AllocsPerRun(3, func() { out = write() }))
		}
		if least > 3 {
			t.Errorf("%s: %v allocations", name, least)
		}
	}
}
