package app_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A reload says anew where deliveries may go: for subscriptions that are made
// from then on, and for what is delivered.
func TestReloadOfTargets(t *testing.T) {
	got := make(chan struct{}, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got <- struct{}{} }))
	defer receiver.Close()
	o := options(t)
	r := start(t, o)
	subscribe := func(path string, want int) {
		t.Helper()
		if status, _, body := r.do(t, "POST", "/v2/queues/q/subscriptions", `{"subscriber":"`+receiver.URL+path+`"}`); status != want {
			t.Errorf("subscribe: %d, want %d: %s", status, want, body)
		}
	}
	reload := func(allow, deny []string) {
		t.Helper()
		o.Webhooks.Allow, o.Webhooks.Deny = allow, deny
		if err := r.Reload(o); err != nil {
			t.Fatal(err)
		}
	}
	subscribe("/1", http.StatusBadRequest)
	reload([]string{"127.0.0.1"}, nil)
	subscribe("/1", http.StatusCreated)
	if status, _, _ := r.do(t, "POST", messages, oneMessage); status != http.StatusCreated {
		t.Fatalf("post: %d", status)
	}
	<-got
	reload([]string{"127.0.0.1"}, []string{"127.0.0.0/8"})
	subscribe("/2", http.StatusBadRequest)

	bad := o
	bad.Webhooks.Allow = []string{"127.1"}
	bad.Broker.MaxMessagesPostSize = 50
	if err := r.Reload(bad); err == nil {
		t.Error("a list with a mistake was accepted")
	}
	if status, _, _ := r.do(t, "POST", messages, `{"messages":[{"body":"`+strings.Repeat("x", 100)+`"}]}`); status != http.StatusCreated {
		t.Errorf("the rest of a refused configuration is in force: %d", status)
	}
	reload([]string{"127.0.0.1"}, nil)
	subscribe("/2", http.StatusCreated)
}

// A reload leaves it as it is whether subscribers have to confirm: they would be
// asked and get messages all the same, or not be asked and get none.
func TestReloadAsksNobody(t *testing.T) {
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	defer receiver.Close()
	for _, required := range []bool{false, true} {
		o := options(t)
		o.Webhooks.Allow, o.SignedURL.Key, o.Broker.RequireConfirmation = []string{"127.0.0.1"}, "secret", required
		r := start(t, o)
		o.Broker.RequireConfirmation = !required
		if err := r.Reload(o); err != nil {
			t.Fatal(err)
		}
		if status, _, body := r.do(t, "POST", "/v2/queues/q/subscriptions", `{"subscriber":"`+receiver.URL+`"}`); status != http.StatusCreated {
			t.Fatalf("subscribe: %d: %s", status, body)
		}
		if status, _, _ := r.do(t, "POST", messages, oneMessage); status != http.StatusCreated {
			t.Fatalf("post: %d", status)
		}
		want := map[bool]string{false: `"Notification"`, true: `"SubscriptionConfirmation"`}[required]
		if document := <-got; !strings.Contains(document, want) {
			t.Fatalf("required %v: the first document is %s", required, document)
		}
	}
}
