package workers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"zaqar/bench/workers"
)

// fake is a small Zaqar server on a list in memory, that tests make lie.
type fake struct {
	mu     sync.Mutex
	posts  int
	more   *sync.Cond // posts
	after  int        // posts that claims and lists wait for
	queues map[string][]*message
	last   int

	// lie may change what a request does; it is called with the lock held and
	// reports whether it has answered.
	lie func(f *fake, w http.ResponseWriter, r *http.Request, queue string) bool
}

type message struct {
	id, claim string
	body      json.RawMessage
}

func newFake(t *testing.T) (*fake, *httptest.Server) {
	f := &fake{queues: map[string][]*message{}}
	f.more = sync.NewCond(&f.mu)
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parts := strings.Split(r.URL.Path, "/") // "", v2, queues, NAME, KIND, ID
	parts = append(parts, make([]string, 6)...)
	queue, kind, id := parts[3], parts[4], parts[5]
	if r.Method == "POST" && kind == "messages" {
		f.posts++
		f.more.Broadcast()
	}
	for (kind == "claims" || r.Method == "GET" && kind == "messages") && f.posts < f.after {
		f.more.Wait()
	}
	switch {
	case f.lie != nil && f.lie(f, w, r, queue):
	case r.URL.Path == "/v2/ping":
		w.WriteHeader(204)
	case r.Method == "POST" && kind == "messages":
		f.post(w, r, queue)
	case r.Method == "POST" && kind == "claims":
		f.claim(w, r, queue)
	case r.Method == "GET" && kind == "messages":
		f.list(w, r, queue)
	case r.Method == "DELETE" && kind == "messages":
		f.queues[queue] = slices.DeleteFunc(f.queues[queue], func(m *message) bool { return m.id == id })
		w.WriteHeader(204)
	case r.Method == "DELETE" && kind == "":
		delete(f.queues, queue)
		w.WriteHeader(204)
	default:
		http.Error(w, r.URL.Path, 404)
	}
}

func (f *fake) add(queue, body string) *message {
	f.last++
	m := &message{id: fmt.Sprintf("m%08d", f.last), body: json.RawMessage(body)}
	f.queues[queue] = append(f.queues[queue], m)
	return m
}

func (f *fake) post(w http.ResponseWriter, r *http.Request, queue string) {
	var doc struct {
		Messages []struct{ Body json.RawMessage }
	}
	if err := json.NewDecoder(r.Body).Decode(&doc); err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	paths := []string{}
	for _, m := range doc.Messages {
		paths = append(paths, "/v2/queues/"+queue+"/messages/"+f.add(queue, string(m.Body)).id)
	}
	answer(w, 201, map[string]any{"resources": paths})
}

func (f *fake) claim(w http.ResponseWriter, r *http.Request, queue string) {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	f.last++
	claim := "c" + strconv.Itoa(f.last)
	var got []*message
	for _, m := range f.queues[queue] {
		if m.claim == "" && len(got) < limit {
			m.claim = claim
			got = append(got, m)
		}
	}
	if got == nil {
		w.WriteHeader(204)
		return
	}
	answer(w, 201, page(queue, got, ""))
}

func (f *fake) list(w http.ResponseWriter, r *http.Request, queue string) {
	q := r.URL.Query()
	limit, _ := strconv.Atoi(q.Get("limit"))
	var got []*message
	for _, m := range f.queues[queue] {
		if m.id > q.Get("marker") && len(got) < limit {
			got = append(got, m)
		}
	}
	next := ""
	if len(got) > 0 {
		q.Set("marker", got[len(got)-1].id)
		next = r.URL.Path + "?" + q.Encode()
	}
	answer(w, 200, page(queue, got, next))
}

func page(queue string, got []*message, next string) any {
	list := []any{}
	for _, m := range got {
		href := "/v2/queues/" + queue + "/messages/" + m.id
		if m.claim != "" {
			href += "?claim_id=" + m.claim
		}
		list = append(list, map[string]any{"id": m.id, "href": href, "ttl": 60, "age": 0, "body": m.body})
	}
	links := []any{}
	if next != "" {
		links = append(links, map[string]string{"rel": "next", "href": next})
	}
	return map[string]any{"messages": list, "links": links}
}

func answer(w http.ResponseWriter, status int, doc any) {
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// options are bounded by cycles, so that no clock decides what happens.
func options(url string, producers, consumers, observers, cycles int) workers.Options {
	o := workers.Defaults()
	o.Server, o.Duration, o.Cycles = url, time.Hour, cycles
	o.Producers.Workers, o.Consumers.Workers, o.Observers.Workers = producers, consumers, observers
	o.Queues, o.Prefix = 2, "q"
	return o
}

func run(t *testing.T, o workers.Options) *workers.Report {
	t.Helper()
	r, err := workers.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
		c.Close()
	}
}

// never reads until the client is gone.
func never(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}
