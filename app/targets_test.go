package app_test

import (
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
