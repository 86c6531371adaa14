package notifications

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// deliveries is what a server tells about those of a subscription.
type deliveries struct {
	State          string
	FailingSince   *time.Time `json:"failing_since"`
	DisabledSince  *time.Time `json:"disabled_since"`
	DisabledReason *string    `json:"disabled_reason"`
	Delivered      int
	Failed         int
	Pending        int
	FailedPending  int `json:"failed_pending"`
	Attempts       []struct {
		At      time.Time
		Kind    string
		Message string `json:"message_id"`
		Attempt int
		Status  *int
		Latency int64 `json:"latency_ms"`
		Error   *string
		Outcome string
	}
}

// until asks for the deliveries until they are as wanted: attempts are noted
// soon after they end.
func (s server) until(one string, wanted func(deliveries) bool) deliveries {
	s.Helper()
	var d deliveries
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(20 * time.Millisecond) {
		d = deliveries{}
		text := s.must("GET", one+"/deliveries", "")
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			s.Fatalf("%v: %s", err, text)
		}
		if wanted(d) {
			return d
		}
	}
	s.Fatalf("the deliveries stay %+v", d)
	return d
}

const once = `{"_retry_policy": {"retries_with_no_delay": 0, "minimum_delay_retries": 0, "maximum_delay_retries": 0, "minimum_delay": 1, "maximum_delay": 11}}`

// The owner of a subscription sees what became of deliveries, and has those
// made again that were given up.
func TestDeliveriesAreSeenAndReplayed(t *testing.T) {
	for _, to := range []string{"queues/q", "topics/t"} {
		s := serve(t)
		r := receive(t, 404, 200, 404)
		one := "/" + to + "/subscriptions/" + s.subscribe(to, r.url, once)
		if d := s.until(one, func(deliveries) bool { return true }); d.State != "enabled" || len(d.Attempts) != 0 {
			t.Errorf("at first: %+v", d)
		}
		s.post(to, `"first"`)
		r.wantBodies(`"first"`)
		d := s.until(one, func(d deliveries) bool { return d.Failed == 1 && d.FailedPending == 1 })
		if d.State != "failing" || d.FailingSince == nil || d.Delivered != 0 || d.Pending != 0 || len(d.Attempts) != 1 {
			t.Fatalf("after one that was given up: %+v", d)
		}
		a := d.Attempts[0]
		if a.Kind != "Notification" || a.Message == "" || a.Attempt != 1 || a.Status == nil || *a.Status != 404 || a.Error == nil || a.Outcome != "given_up" {
			t.Errorf("the attempt: %+v", a)
		}
		if strings.Contains(*a.Error, r.url) {
			t.Errorf("the error tells the address: %s", *a.Error)
		}

		if got := s.must("POST", one+"/replay", `{"what": "failed", "since": "2999-01-01T00:00:00Z"}`); got != `{"replayed":0}` {
			t.Errorf("those of the future: %s", got)
		}
		if got := s.must("POST", one+"/replay", `{"what": "failed"}`); got != `{"replayed":1}` {
			t.Errorf("replayed: %s", got)
		}
		again := r.next()
		if got := string(document(t, again.body)["body"]); got != `"first"` || again.Header.Get("Webhook-Id") != a.Message {
			t.Errorf("replayed %s as %s, want the message %s", got, again.Header.Get("Webhook-Id"), a.Message)
		}
		d = s.until(one, func(d deliveries) bool { return d.Delivered == 1 && d.FailedPending == 0 })
		if d.State != "enabled" || d.FailingSince != nil || d.Attempts[0].Outcome != "delivered" || *d.Attempts[0].Status != 200 {
			t.Errorf("after the replay: %+v", d)
		}

		s.post(to, `"second"`)
		r.wantBodies(`"second"`)
		s.until(one, func(d deliveries) bool { return d.FailedPending == 1 })
		if got := s.must("POST", one+"/replay", `{"what": "all"}`); got != `{"replayed":2}` {
			t.Errorf("all: %s", got)
		}
		r.wantBodies(`"first"`, `"second"`)
		s.must("DELETE", one, "")
		if status, _ := s.do("GET", one+"/deliveries", ""); status != http.StatusNotFound {
			t.Errorf("of a subscription that is gone: %d", status)
		}
	}
}

// A subscriber that is gone is left alone until its owner changes something.
func TestGoneSubscribersAreDisabled(t *testing.T) {
	s := serve(t)
	r := receive(t, http.StatusGone)
	one := "/queues/q/subscriptions/" + s.subscribe("queues/q", r.url, "")
	s.post("queues/q", "1")
	r.wantBodies("1")
	d := s.until(one, func(d deliveries) bool { return d.State == "disabled" })
	if d.DisabledSince == nil || d.DisabledReason == nil || *d.DisabledReason == "" {
		t.Errorf("disabled: %+v", d)
	}
	s.post("queues/q", "2")
	s.must("PATCH", one, `{"ttl": 7200}`)
	s.post("queues/q", "3")
	for got := ""; got != "3"; {
		got = string(document(t, r.next().body)["body"])
	}
	s.until(one, func(d deliveries) bool {
		return d.State == "enabled" && d.DisabledSince == nil && d.DisabledReason == nil
	})
}

// What is delivered is signed with the keys that the API shows, during a
// rotation with both of them.
func TestSignaturesVerifyWithTheKeysShown(t *testing.T) {
	s := serve(t)
	r := receive(t)
	one := "/queues/q/subscriptions/" + s.subscribe("queues/q", r.url, "")
	keys := func(text string) (list []string) {
		var shown struct{ Keys []struct{ Key string } }
		if err := json.Unmarshal([]byte(text), &shown); err != nil {
			t.Fatal(err)
		}
		for _, k := range shown.Keys {
			list = append(list, k.Key)
		}
		return list
	}
	verify := func(q request, key string) error {
		w, err := standardwebhooks.NewWebhook(strings.TrimPrefix(key, "whsec_"))
		if err != nil {
			t.Fatal(err)
		}
		return w.Verify([]byte(q.body), q.Header)
	}
	first := keys(s.must("GET", one+"/secret", ""))
	s.post("queues/q", "1")
	q := r.next()
	if len(first) != 1 || verify(q, first[0]) != nil {
		t.Fatalf("%v with %v: %v", q.Header, first, verify(q, first[0]))
	}
	both := keys(s.must("POST", one+"/secret", ""))
	if len(both) != 2 || both[1] != first[0] {
		t.Fatalf("rotated: %v, before %v", both, first)
	}
	s.post("queues/q", "2")
	q = r.next()
	for _, key := range both {
		if err := verify(q, key); err != nil {
			t.Errorf("%s: %v", q.Header.Get("Webhook-Signature"), err)
		}
	}
	other := keys(s.must("GET", "/queues/q/subscriptions/"+s.subscribe("queues/q", receive(t).url, "")+"/secret", ""))
	if verify(q, other[0]) == nil {
		t.Error("the key of another subscription verifies")
	}
}
