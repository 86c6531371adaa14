package rest_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"zaqar/api/conn"
	"zaqar/api/rest"
	"zaqar/auth/policy"
	"zaqar/broker"
	"zaqar/internal/testclock"
	"zaqar/internal/testlog"
	"zaqar/messaging"
	"zaqar/quota"
	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/embedded/disk/faultdisk"
	"zaqar/storage/memory"
)

// open opens an empty store for one test and registers its end.
type open func(t *testing.T, env storage.Env) (storage.Control, storage.Data)

func openMemory(t *testing.T, env storage.Env) (storage.Control, storage.Data) {
	s := memory.New(env)
	t.Cleanup(func() { _ = s.Close() })
	return s, s
}

func openEmbedded(t *testing.T, env storage.Env) (storage.Control, storage.Data) {
	s, err := embedded.Open("store", embedded.Config{FS: faultdisk.New(faultdisk.Config{}), SegmentSize: 1 << 20, SweepEvery: -1}, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, s
}

// setup is what a test may change before its server starts.
type setup struct {
	broker broker.Config
	rest   rest.Config
	policy string // text of a policy file
	wrap   func(storage.Data) storage.Data
	quotas *quota.Config // nil: none
	// notifier is told of subscriptions; nil: nobody is.
	notifier broker.Notifier
	// bare has net/http serve the connections as they are, and http2 with
	// HTTP/2: requests that wait keep their handlers.
	bare, http2 bool
}

// server is a real server over a store, with a clock that only tests move.
type server struct {
	t       *testing.T
	open    open
	url     string
	client  *http.Client
	clock   *testclock.Clock
	control storage.Control
	data    storage.Data
	quotas  *quota.Guard
	logs    *testlog.Buffer
	waiting func() int // how many requests wait
}

const (
	clientA = "3381af92-2b9e-11e3-b191-71861300734c"
	clientB = "30387f00-3b9e-11e3-b191-71861300734d"
	project = "518b51ea133c4facadae42c328d6b77b"
)

func newServer(t *testing.T, open open, changes ...func(*setup)) *server {
	t.Helper()
	set := setup{broker: broker.Defaults(), rest: rest.Defaults()}
	set.rest.Now = time.Now
	for _, change := range changes {
		change(&set)
	}
	s := &server{t: t, open: open, clock: testclock.New(time.Date(2031, 5, 4, 10, 0, 0, 0, time.UTC)), logs: new(testlog.Buffer)}
	log := slog.New(slog.NewTextHandler(s.logs, nil))
	s.control, s.data = open(t, storage.Env{Now: s.clock.Now, Log: log})
	data := s.data
	if set.wrap != nil {
		data = set.wrap(data)
	}
	rules, findings := policy.Compile([]policy.File{{Name: "policy.yaml", Text: []byte(set.policy)}}, "")
	if rules == nil {
		t.Fatal(findings)
	}
	if set.quotas != nil {
		guard, err := quota.New(*set.quotas, quota.Parts{Control: s.control, Data: data, Now: s.clock.Now, Log: log})
		if err != nil {
			t.Fatalf("quota.New: %v", err)
		}
		s.quotas, set.rest.Quotas = guard, guard
	}
	b, err := broker.New(set.broker, broker.Parts{Control: s.control, Data: data, Policy: rules, Quotas: s.quotas, Notifier: set.notifier, Now: s.clock.Now, Log: log})
	if err != nil {
		t.Fatalf("broker.New: %v", err)
	}
	t.Cleanup(b.Close)
	s.waiting = b.Waiting
	web := httptest.NewUnstartedServer(rest.New(set.rest, b, log))
	s.client = plain
	switch {
	case set.http2:
		var only http.Protocols
		only.SetUnencryptedHTTP2(true)
		transport := &http.Transport{Protocols: &only}
		web.Config.Protocols, s.client = &only, &http.Client{Transport: transport}
		t.Cleanup(transport.CloseIdleConnections)
	case !set.bare:
		web.Listener, web.Config.ConnContext = conn.Listen(web.Listener, time.Now), conn.Context
	}
	web.Start()
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

func withPolicy(text string) func(*setup) { return func(set *setup) { set.policy = text } }

// withQuotas limits projects.
func withQuotas(l messaging.Limits) func(*setup) {
	return func(set *setup) { set.quotas = &quota.Config{Defaults: l} }
}

// another starts one more server with a store of its own.
func (s *server) another(changes ...func(*setup)) *server {
	s.t.Helper()
	return newServer(s.t, s.open, changes...)
}

// advance moves the clock by whole seconds.
func (s *server) advance(seconds int) { s.clock.Advance(time.Duration(seconds) * time.Second) }

// request makes a request with a client id and a project, changed by headers:
// "Name: value" sets one, "-Name" removes it.
func (s *server) request(method, target, body string, headers ...string) *http.Request {
	s.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, s.url+target, r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, target, err)
	}
	req.Header.Set("Client-ID", clientA)
	req.Header.Set("X-Project-ID", project)
	for _, h := range headers {
		name, value, set := strings.Cut(h, ":")
		if !set {
			req.Header.Del(strings.TrimPrefix(name, "-"))
			continue
		}
		req.Header.Set(name, strings.TrimSpace(value))
	}
	return req
}

// do sends a request and reads the reply.
func (s *server) do(method, target, body string, headers ...string) *reply {
	s.t.Helper()
	return s.send(s.request(method, target, body, headers...))
}

// plain follows no redirects: the server never sends any.
var plain = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (s *server) send(req *http.Request) *reply {
	s.t.Helper()
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatalf("%s %s: reading the reply: %v", req.Method, req.URL, err)
	}
	return &reply{t: s.t, what: req.Method + " " + req.URL.RequestURI(), status: res.StatusCode, header: res.Header, body: body}
}

func (s *server) get(target string, headers ...string) *reply {
	s.t.Helper()
	return s.do("GET", target, "", headers...)
}

func (s *server) put(target, body string, headers ...string) *reply {
	s.t.Helper()
	return s.do("PUT", target, body, headers...)
}

func (s *server) post(target, body string, headers ...string) *reply {
	s.t.Helper()
	return s.do("POST", target, body, headers...)
}

func (s *server) delete(target string, headers ...string) *reply {
	s.t.Helper()
	return s.do("DELETE", target, "", headers...)
}

const patchType = "application/openstack-messaging-v2.0-json-patch"

// patch patches a queue; for claims use do.
func (s *server) patch(target, body string, headers ...string) *reply {
	s.t.Helper()
	return s.do("PATCH", target, body, append([]string{"Content-Type: " + patchType}, headers...)...)
}

// posted posts messages with the bodies given as JSON and returns their ids.
func (s *server) posted(queue string, bodies ...string) []string {
	s.t.Helper()
	var items []string
	for _, b := range bodies {
		items = append(items, `{"body":`+b+`}`)
	}
	return s.postedItems(queue, items...)
}

// postedItems posts whole message objects.
func (s *server) postedItems(queue string, items ...string) []string {
	s.t.Helper()
	path := "/v2/queues/" + queue + "/messages"
	if strings.HasPrefix(queue, "/") {
		path = queue + "/messages"
	}
	r := s.post(path, `{"messages":[`+strings.Join(items, ",")+`]}`).want(201)
	var ids []string
	for i := range r.count("resources") {
		href := r.str(fmt.Sprint("resources.", i))
		ids = append(ids, href[strings.LastIndex(href, "/")+1:])
	}
	return ids
}

// numbers returns n bodies 0, 1, 2 and so on.
func numbers(n int) []string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// claimed claims up to limit messages and returns the claim's path and the
// ids of its messages.
func (s *server) claimed(queue string, limit int, body string) (path string, ids []string) {
	s.t.Helper()
	r := s.post(fmt.Sprintf("/v2/queues/%s/claims?limit=%d", queue, limit), body).want(201)
	return r.header.Get("Location"), r.ids()
}

// claimID is the last segment of a claim's path.
func claimID(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// listed returns the bodies, as JSON, of the messages of the first page with
// echo and the further parameters.
func (s *server) listed(queue, params string) []string {
	s.t.Helper()
	return s.get("/v2/queues/" + queue + "/messages?echo=true&limit=20" + params).want(200).bodies()
}

// stats returns the counts of a queue.
func (s *server) stats(queue string) (claimed, free, total int) {
	s.t.Helper()
	r := s.get("/v2/queues/" + queue + "/stats").want(200)
	return r.num("messages.claimed"), r.num("messages.free"), r.num("messages.total")
}

// exists reports whether a queue is listed.
func (s *server) exists(queue string) bool {
	s.t.Helper()
	_, err := s.control.Queue(context.Background(), messaging.QueueRef{Project: project, Name: queue})
	return err == nil
}
