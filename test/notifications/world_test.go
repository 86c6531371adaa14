package notifications

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"zaqar/app"
	"zaqar/app/apptest"
	"zaqar/broker"
	"zaqar/internal/testhttp"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// server is a running server, and one project of it.
type server struct {
	*testing.T
	url string
}

// serve starts a server that may send to this machine.
func serve(t *testing.T, change ...func(*app.Options)) server {
	t.Helper()
	o := app.Defaults()
	o.HTTP.Port, o.AccessLog, o.Store.Dir = 0, false, t.TempDir()
	o.Webhooks.Allow = []string{"127.0.0.0/8"}
	o.Broker.Keys = []broker.Key{{ID: "k", Secret: []byte("a secret of this test, 32 bytes.")}}
	for _, c := range change {
		c(&o)
	}
	return server{t, "http://" + apptest.Serve(t, o)}
}

// do sends a request and returns the answer.
func (s server) do(method, path, body string) (int, string) {
	s.Helper()
	r := testhttp.Request(s, method, s.url+"/v2"+path, body)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	status, _, text := testhttp.Do(s, r)
	return status, text
}

// must is do for what has to succeed.
func (s server) must(method, path, body string) string {
	s.Helper()
	status, text := s.do(method, path, body)
	if status/100 != 2 {
		s.Fatalf("%s %s %s: %d %s", method, path, body, status, text)
	}
	return text
}

// subscribe has a subscription to a queue (queues/q) made, and returns its id.
func (s server) subscribe(to, subscriber, options string) string {
	s.Helper()
	if options == "" {
		options = "{}"
	}
	var made struct {
		ID string `json:"subscription_id"`
	}
	text := s.must("POST", "/"+to+"/subscriptions", `{"subscriber": "`+subscriber+`", "options": `+options+`}`)
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.ID == "" {
		s.Fatalf("%s: %v", text, err)
	}
	return made.ID
}

// post posts messages with the bodies.
func (s server) post(to string, bodies ...string) {
	s.Helper()
	var list []string
	for _, b := range bodies {
		list = append(list, `{"ttl": 300, "body": `+b+`}`)
	}
	s.must("POST", "/"+to+"/messages", `{"messages": [`+strings.Join(list, ", ")+`]}`)
}

// request is one that a receiver got.
type request struct {
	*http.Request
	body string
}

// receiver takes what is sent to it.
type receiver struct {
	*testing.T
	url  string
	came chan request

	mu      sync.Mutex
	answers []int         // what to answer in turn; then 200
	hold    chan struct{} // not nil: what comes waits for it to be closed
}

// receive starts a receiver that answers with the statuses, then with 200.
func receive(t *testing.T, answers ...int) *receiver {
	t.Helper()
	r := &receiver{T: t, came: make(chan request, 1000), answers: answers}
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	r.url = s.URL + "/in"
	return r
}

// stuck starts a receiver that answers when it is released, at the end of the
// test at the latest.
func stuck(t *testing.T) *receiver {
	t.Helper()
	r := receive(t)
	r.hold = make(chan struct{})
	t.Cleanup(r.release)
	return r
}

func (r *receiver) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hold != nil {
		close(r.hold)
		r.hold = nil
	}
}

// ServeHTTP implements http.Handler.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		r.Errorf("what came broke off: %v", err)
	}
	r.mu.Lock()
	hold, status := r.hold, http.StatusOK
	if len(r.answers) > 0 {
		status, r.answers = r.answers[0], r.answers[1:]
	}
	r.mu.Unlock()
	r.came <- request{q, string(body)}
	if hold != nil {
		<-hold
	}
	w.WriteHeader(status)
}

// next returns the next request that comes.
func (r *receiver) next() request {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	select {
	case q := <-r.came:
		return q
	case <-ctx.Done():
		r.Fatal("nothing came")
		return request{}
	}
}

// wantBodies waits for documents with these message bodies, in this order.
func (r *receiver) wantBodies(bodies ...string) {
	r.Helper()
	for _, want := range bodies {
		if got := string(document(r.T, r.next().body)["body"]); got != want {
			r.Errorf("the body %s came, want %s", got, want)
		}
	}
}

// wantNothing fails if something has come by now.
func (r *receiver) wantNothing() {
	r.Helper()
	select {
	case q := <-r.came:
		r.Errorf("it came: %s", q.body)
	default:
	}
}

// document takes a document apart.
func document(t *testing.T, text string) map[string]json.RawMessage {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatalf("%q is no document: %v", text, err)
	}
	return members
}
