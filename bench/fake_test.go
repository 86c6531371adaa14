package bench_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// lie is a mistake that a fake server makes, once.
type lie string

const (
	loses         lie = "loses a message"
	losesClaimed  lie = "loses a message that was claimed"
	listsTwice    lie = "lists a message twice"
	sameID        lie = "gives two posts the same id"
	makesUp       lie = "hands out a message that nobody posted"
	handsOutTwice lie = "hands out a claimed message again"
	keeps         lie = "keeps a deleted message"
	newestFirst   lie = "hands out the newest first"
	swaps         lie = "lists two messages in the wrong order"
	alters        lie = "alters a body"
	withholds     lie = "never hands out a message"
	isGenerous    lie = "hands out more than was asked for"
	handsNothing  lie = "hands out a claim of nothing"
)

// fake is a server of queues, messages and claims in little. It is written
// apart from the product, so that the two do not share mistakes.
type fake struct {
	lie        lie
	ignorant   bool          // of wait
	blind      bool          // fails to list claimed messages
	forgetful  bool          // closes the connection after each answer
	token      string        // if not empty, it is needed
	notThere   bool          // has another API
	failsAfter int           // if not 0, 503 from so many requests on
	hangsAfter int           // if not 0, no answer from so many requests on
	diesAfter  int           // if not 0, the connection breaks from so many requests on
	over       chan struct{} // closed at the end of the test
	busy       func()        // called with the 50th request, if not nil

	mu       sync.Mutex
	told     bool // the lie
	requests int
	ids      int
	queues   map[string]*fakeQueue
	seen     map[string]bool // headers, as "Name: value"
	repeated string          // header that a request had more than once
}

type fakeQueue struct {
	messages []*fakeMessage
	changed  chan struct{} // closed when a message comes
}

type fakeMessage struct {
	id    string
	place int
	body  json.RawMessage
	claim string
	stuck bool // is never handed out
}

func (f *fake) start(t *testing.T) string {
	t.Helper()
	f.queues, f.seen, f.over = map[string]*fakeQueue{}, map[string]bool{}, make(chan struct{})
	s := httptest.NewServer(f)
	t.Cleanup(func() { close(f.over); s.Close() })
	return s.URL
}

// tells reports whether it is time for a lie, which is told once.
func (f *fake) tells(l lie) bool {
	if f.lie != l || f.told {
		return false
	}
	f.told = true
	return true
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	for name := range r.Header {
		f.seen[name+": "+r.Header.Get(name)] = true
		if len(r.Header[name]) > 1 {
			f.repeated = name
		}
	}
	if f.requests == 50 && f.busy != nil {
		f.busy()
	}
	after := func(n int) bool { return n > 0 && f.requests > n }
	switch {
	case after(f.hangsAfter):
		f.mu.Unlock()
		<-f.over
		f.mu.Lock()
		return
	case after(f.diesAfter):
		panic(http.ErrAbortHandler)
	case f.notThere:
		http.NotFound(w, r)
		return
	case f.token != r.Header.Get("X-Auth-Token"):
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	case after(f.failsAfter):
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	if f.forgetful {
		w.Header().Set("Connection", "close")
	}
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
	if len(path) == 1 && path[0] == "ping" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	f.route(w, r, path)
}

func (f *fake) route(w http.ResponseWriter, r *http.Request, path []string) {
	name := path[1]
	q := f.queues[name]
	if q == nil && len(path) > 2 { // a request of a benchmark that has ended
		http.NotFound(w, r)
		return
	}
	switch len(path) {
	case 2:
		switch r.Method {
		case http.MethodPut:
			f.queues[name] = &fakeQueue{changed: make(chan struct{})}
			w.WriteHeader(http.StatusCreated)
		case http.MethodDelete:
			delete(f.queues, name)
			w.WriteHeader(http.StatusNoContent)
		}
	case 3:
		switch {
		case r.Method == http.MethodPost && path[2] == "messages":
			f.post(w, r, name, q)
		case r.Method == http.MethodGet:
			f.list(w, r, name, q)
		case r.Method == http.MethodPost:
			f.claim(w, r, name, q)
		case r.Method == http.MethodDelete:
			f.remove(w, q, strings.Split(r.URL.Query().Get("ids"), ","))
		}
	case 4:
		f.remove(w, q, path[3:])
	}
}

func (f *fake) post(w http.ResponseWriter, r *http.Request, name string, q *fakeQueue) {
	var doc struct {
		Messages []struct{ Body json.RawMessage }
	}
	if json.NewDecoder(r.Body).Decode(&doc) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var paths []string
	for _, m := range doc.Messages {
		f.ids++
		id := fmt.Sprintf("%08d", f.ids)
		switch {
		case f.ids > 1 && f.tells(sameID):
			id = fmt.Sprintf("%08d", f.ids-1)
		case f.tells(alters):
			m.Body = json.RawMessage(strings.Replace(string(m.Body), "0123", "0132", 1))
		}
		paths = append(paths, "/v2/queues/"+name+"/messages/"+id)
		if !f.tells(loses) {
			q.messages = append(q.messages, &fakeMessage{id: id, place: f.ids, body: m.Body, stuck: f.tells(withholds)})
		}
	}
	if n := len(q.messages); n > 1 && f.tells(swaps) {
		q.messages[n-1].place, q.messages[n-2].place = q.messages[n-2].place, q.messages[n-1].place
		q.messages[n-1], q.messages[n-2] = q.messages[n-2], q.messages[n-1]
	}
	close(q.changed)
	q.changed = make(chan struct{})
	answer(w, http.StatusCreated, map[string]any{"resources": paths})
}

// wait lets others go on until the queue changes.
func (f *fake) wait(r *http.Request, q *fakeQueue) {
	seconds, err := strconv.Atoi(r.URL.Query().Get("wait"))
	if err != nil || f.ignorant || seconds == 0 {
		return
	}
	changed := q.changed
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-changed:
	case <-f.over:
	case <-r.Context().Done():
	case <-time.After(time.Duration(seconds) * time.Second):
	}
}

// some returns up to limit messages for which is holds, after waiting if there
// are none.
func (f *fake) some(r *http.Request, q *fakeQueue, is func(*fakeMessage) bool) []*fakeMessage {
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil {
		limit = 10
	}
	find := func() (found []*fakeMessage) {
		for _, m := range q.messages {
			if len(found) < limit && is(m) {
				found = append(found, m)
			}
		}
		return found
	}
	found := find()
	if found == nil {
		f.wait(r, q)
		found = find()
	}
	return found
}

func (f *fake) list(w http.ResponseWriter, r *http.Request, name string, q *fakeQueue) {
	query := r.URL.Query()
	if f.blind && query.Get("include_claimed") == "true" {
		http.Error(w, "cannot", http.StatusServiceUnavailable)
		return
	}
	marker, _ := strconv.Atoi(query.Get("marker")) // none is 0
	found := f.some(r, q, func(m *fakeMessage) bool {
		return m.place > marker && (m.claim == "" || query.Get("include_claimed") == "true")
	})
	if len(found) > 0 {
		marker = found[len(found)-1].place
		if f.tells(listsTwice) {
			found = append(found[:len(found):len(found)], found[0])
		}
	}
	query.Set("marker", strconv.Itoa(marker))
	answer(w, http.StatusOK, map[string]any{
		"messages": documents(name, found),
		"links":    []any{map[string]any{"rel": "next", "href": "/v2/queues/" + name + "/messages?" + query.Encode()}},
	})
}

func (f *fake) claim(w http.ResponseWriter, r *http.Request, name string, q *fakeQueue) {
	found := f.some(r, q, func(m *fakeMessage) bool { return m.claim == "" && !m.stuck })
	if len(found) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if f.tells(handsNothing) {
		answer(w, http.StatusCreated, map[string]any{"messages": []any{}})
		return
	}
	f.ids++
	claim := fmt.Sprintf("c%d", f.ids)
	if f.lie == newestFirst && len(found) > 1 && f.tells(newestFirst) {
		slices.Reverse(found)
	}
	for _, m := range found {
		m.claim = claim
	}
	if f.tells(handsOutTwice) {
		found[0].claim = ""
		again := *found[0]
		again.claim = claim
		found[0] = &again
	}
	if f.tells(makesUp) {
		up := *found[0]
		up.id = "made-up"
		found[0].claim = ""
		found[0] = &up
	}
	if f.tells(losesClaimed) {
		q.drop(found[0].id)
		found[0].claim = ""
		if found = found[1:]; len(found) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
	}
	if f.lie == isGenerous && len(found) == 10 && f.tells(isGenerous) {
		more := *found[9]
		more.id += "-more"
		found = append(found, &more)
	}
	answer(w, http.StatusCreated, map[string]any{"messages": documents(name, found)})
}

func (f *fake) remove(w http.ResponseWriter, q *fakeQueue, ids []string) {
	for _, id := range ids {
		if !f.tells(keeps) {
			q.drop(id)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// drop removes a message, unless it is not claimed.
func (q *fakeQueue) drop(id string) {
	q.messages = slices.DeleteFunc(q.messages, func(m *fakeMessage) bool { return m.id == id && m.claim != "" })
}

func documents(queue string, messages []*fakeMessage) []any {
	all := []any{}
	for _, m := range messages {
		href := "/v2/queues/" + queue + "/messages/" + m.id
		if m.claim != "" {
			href += "?claim_id=" + m.claim
		}
		all = append(all, map[string]any{"href": href, "ttl": 60, "age": 1, "body": m.body})
	}
	return all
}

// answer is written with spaces and with escapes, as others do.
func answer(w http.ResponseWriter, status int, doc any) {
	text, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		panic(err)
	}
	w.WriteHeader(status)
	_, _ = w.Write(text) // chunks, if it is long
}
