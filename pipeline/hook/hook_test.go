package hook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/pipeline"
	"zaqar/pipeline/hook"
	"zaqar/storage"
	"zaqar/storage/memory"
)

var (
	queue = messaging.QueueRef{Project: "p", Name: "q"}
	topic = messaging.QueueRef{Project: "p", Name: "t", Topic: true}
)

// world is a store behind the stage, and the service that is asked.
type world struct {
	*testing.T
	data    storage.Data
	control storage.Control
	store   *memory.Store
	log     bytes.Buffer
	asked   []string // the questions
	header  http.Header
	status  int
	answer  string
	hang    bool
}

func newWorld(t *testing.T, c hook.Config) *world {
	t.Helper()
	w := &world{T: t, status: http.StatusNoContent}
	service := httptest.NewServer(w)
	t.Cleanup(service.Close)
	if c.URL == "" {
		c.URL = service.URL
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	w.store = memory.New(storage.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { w.store.Close() })
	all := []string{hook.Name}
	p, err := pipeline.New(pipeline.Config{Queue: all, Topic: all, Message: all, Claim: all, Subscription: all, Strict: true},
		pipeline.Stages{hook.Name: hook.Stage(c)}, pipeline.Stage{}, pipeline.Env{Now: time.Now, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Store: w.store})
	if err != nil {
		t.Fatal(err)
	}
	w.data, w.control = p.Wrap(w.store, w.store)
	return w
}

// ServeHTTP is the service.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		w.Error(err)
	}
	if w.hang {
		<-r.Context().Done()
		return
	}
	w.asked, w.header = append(w.asked, string(text)), r.Header
	out.WriteHeader(w.status)
	_, _ = io.WriteString(out, w.answer)
}

func (w *world) post(ctx context.Context, drafts ...messaging.Draft) error {
	_, err := w.data.Append(ctx, queue, "", drafts, storage.AppendOptions{})
	return err
}

func (w *world) stored() (bodies []string) {
	w.Helper()
	list, err := w.store.Scan(w.Context(), queue, storage.Scan{Limit: 99})
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range list {
		bodies = append(bodies, string(m.Body))
	}
	return bodies
}

// Every operation is told as it is documented.
func TestQuestions(t *testing.T) {
	w := newWorld(t, hook.Config{Token: "secret"})
	ctx := pipeline.WithCaller(t.Context(), messaging.Caller{
		Project: "p", User: "u", Roles: []string{"member"}, Client: "c", Address: netip.MustParseAddr("192.0.2.7"), Request: "req-1"})
	who := `"caller":{"user":"u","roles":["member"],"client":"c","address":"192.0.2.7","request":"req-1"}`
	for _, tt := range []struct {
		do   func() error
		want string
	}{
		{func() error {
			return w.post(ctx, messaging.Draft{TTL: 300, Delay: 5, Body: []byte(`{"a": 1}`)}, messaging.Draft{TTL: 60, Key: "k", Body: []byte("\x01sealed")})
		}, `"operation":"messages.post","queue":"q","messages":[{"ttl":300,"delay":5,"body":{"a":1}},{"ttl":60,"delay":0,"encrypted":true}]`},
		{func() error { return w.data.Remove(ctx, queue, []messaging.MessageID{"x"}, storage.Hold{}) }, `"operation":"messages.delete","queue":"q","ids":["x"]`},
		{func() error { _, err := w.data.Pop(ctx, queue, storage.Take{Limit: 2}); return err }, `"operation":"messages.pop","queue":"q","limit":2`},
		{func() error { return w.data.Purge(ctx, topic) }, `"operation":"messages.purge","topic":"t"`},
		{func() error { _, err := w.data.Claim(ctx, queue, storage.Terms{TTL: 60, Limit: 3}); return err }, `"operation":"claims.create","queue":"q","ttl":60,"grace":0,"limit":3`},
		{func() error {
			_, _, err := w.data.Subscribe(ctx, messaging.Subscription{Source: queue, Subscriber: "http://s", TTL: 60, Options: []byte(`{"a":1}`)})
			return err
		}, `"operation":"subscriptions.create","queue":"q","subscriber":"http://s","options":{"a":1},"ttl":60`},
		{func() error { return w.data.Unsubscribe(ctx, queue, "s") }, `"operation":"subscriptions.delete","queue":"q","id":"s"`},
		{func() error { _, err := w.control.CreateQueue(ctx, queue, nil); return err }, `"operation":"queues.create","queue":"q","metadata":{}`},
		{func() error { _, err := w.control.AmendQueue(ctx, queue, keep); return err }, `"operation":"queues.update","queue":"q"`},
		{func() error { return w.control.DeleteQueue(ctx, queue) }, `"operation":"queues.delete","queue":"q"`},
		{func() error { _, err := w.control.CreateQueue(ctx, topic, nil); return err }, `"operation":"topics.create","topic":"t","metadata":{}`},
		{func() error { return w.control.DeleteQueue(ctx, topic) }, `"operation":"topics.delete","topic":"t"`},
	} {
		w.asked = nil
		if err := tt.do(); err != nil {
			t.Errorf("%s: %v", tt.want, err)
		}
		if len(w.asked) != 1 {
			t.Fatalf("%s: asked %q", tt.want, w.asked)
		}
		if d := cmp.Diff(object(t, `{"project":"p",`+who+`,`+tt.want+`}`), object(t, w.asked[0])); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	if got := w.header.Get("Authorization"); got != "Bearer secret" {
		t.Errorf("asked with %q", got)
	}
	w.asked = nil
	if err := w.post(t.Context(), messaging.Draft{TTL: 60, Body: []byte("1")}); err != nil || strings.Contains(w.asked[0], "caller") {
		t.Errorf("without a caller: %v, %q", err, w.asked)
	}
}

func keep(m *messaging.Metadata) (*messaging.Metadata, error) { return m, nil }

func object(t *testing.T, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// What an answer does, where the operator wants failures refused, and where he
// lets them pass.
func TestAnswers(t *testing.T) {
	const passes = messaging.Kind("")
	for _, tt := range []struct {
		status       int
		answer       string
		closed, open messaging.Kind
		says         string
	}{
		{204, "", passes, passes, ""},
		{200, "{}", passes, passes, ""},
		{200, ` `, passes, passes, ""},
		{400, `{"description": "Not like this."}`, messaging.Invalid, messaging.Invalid, "Not like this."},
		{403, ``, messaging.Denied, messaging.Denied, "The request was refused."},
		{403, `no JSON`, messaging.Denied, messaging.Denied, "The request was refused."},
		{403, `{"description": "` + strings.Repeat("x", 1001) + `"}`, messaging.Denied, messaging.Denied, "The request was refused."},
		{404, ``, messaging.NotFound, messaging.NotFound, ""},
		{409, ``, messaging.Conflict, messaging.Conflict, ""},
		{429, ``, messaging.Exceeded, messaging.Exceeded, ""},
		{200, `no JSON`, messaging.Unavailable, passes, "This could not be checked."},
		{200, strings.Repeat(" ", 200<<10), messaging.Unavailable, passes, ""},
		{500, `{"description": "internal"}`, messaging.Unavailable, passes, "This could not be checked."},
		{301, ``, messaging.Unavailable, passes, ""},
		{401, ``, messaging.Unavailable, passes, ""},
	} {
		for open, want := range map[bool]messaging.Kind{false: tt.closed, true: tt.open} {
			w := newWorld(t, hook.Config{Pass: open})
			w.status, w.answer = tt.status, tt.answer
			err := w.post(t.Context(), messaging.Draft{TTL: 60, Body: []byte("1")})
			name := fmt.Sprintf("%d %.40s, passing %v", tt.status, tt.answer, open)
			var e *messaging.Error
			switch {
			case want == passes && err != nil, want != passes && !errors.Is(err, want):
				t.Errorf("%s: %v, want %q", name, err, want)
			case errors.As(err, &e) && tt.says != "" && e.What != tt.says:
				t.Errorf("%s: %q", name, e.What)
			}
			if got := len(w.stored()); (got == 1) != (want == passes) {
				t.Errorf("%s: %d messages are stored", name, got)
			}
			if failed := tt.closed != tt.open; open && strings.Contains(w.log.String(), "could not ask") != failed {
				t.Errorf("%s: the log says %q", name, w.log.String())
			}
		}
	}
}

// The service may put other bodies into the messages of a post.
func TestOtherBodies(t *testing.T) {
	two := []messaging.Draft{{TTL: 60, Body: []byte("1")}, {TTL: 60, Body: []byte("2"), Checksum: "MD5:x"}}
	for _, tt := range []struct {
		answer string
		want   []string // nil: refused
	}{
		{`{"messages": [{"body": {"b":  1}}, {"body": null}]}`, []string{`{"b":  1}`, `null`}},
		{`{"messages": [{}, {"body": "b"}]}`, []string{"1", `"b"`}},
		{`{"messages": []}`, nil},
		{`{"messages": [{"body": 1}]}`, nil},
		{`{"messages": null}`, []string{"1", "2"}},
	} {
		w := newWorld(t, hook.Config{})
		w.status, w.answer = 200, tt.answer
		err := w.post(t.Context(), two...)
		if (err != nil) != (tt.want == nil) || err != nil && !errors.Is(err, messaging.Unavailable) {
			t.Errorf("%s: %v", tt.answer, err)
		}
		if d := cmp.Diff(tt.want, w.stored()); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.answer, d)
		}
		if string(two[0].Body) != "1" || two[1].Checksum != "MD5:x" {
			t.Fatalf("%s: the drafts of the caller were changed: %+v", tt.answer, two)
		}
	}
	w := newWorld(t, hook.Config{})
	w.status, w.answer = 200, `{"messages": [{"body": 1}]}`
	if err := w.post(t.Context(), messaging.Draft{TTL: 60, Key: "k", Body: []byte("sealed")}); !errors.Is(err, messaging.Unavailable) {
		t.Errorf("a sealed body was replaced: %v", err)
	}
}

func TestServicesThatDoNotAnswer(t *testing.T) {
	for pass, want := range map[bool]int{false: 0, true: 1} {
		w := newWorld(t, hook.Config{Timeout: time.Millisecond, Pass: pass})
		w.hang = true
		if err := w.post(t.Context(), messaging.Draft{TTL: 60, Body: []byte("1")}); (err == nil) != pass || len(w.stored()) != want {
			t.Errorf("no answer, passing %v: %v, %q stored", pass, err, w.stored())
		}
		w = newWorld(t, hook.Config{URL: "http://127.0.0.1:1/", Pass: pass})
		if err := w.post(t.Context(), messaging.Draft{TTL: 60, Body: []byte("1")}); (err == nil) != pass || len(w.stored()) != want {
			t.Errorf("nobody there, passing %v: %v, %q stored", pass, err, w.stored())
		}
		// A client that is gone is no reason to do it unasked.
		w = newWorld(t, hook.Config{Pass: pass})
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := w.post(gone, messaging.Draft{TTL: 60, Body: []byte("1")}); !errors.Is(err, messaging.Unavailable) || len(w.stored()) != 0 {
			t.Errorf("a client that is gone, passing %v: %v, %q stored", pass, err, w.stored())
		}
	}
}

func TestURLs(t *testing.T) {
	for _, bad := range []string{"", "h:80", "ftp://h", "http://", "http://h\n", "http://u:p@h"} {
		if _, err := hook.Stage(hook.Config{URL: bad})(pipeline.Env{}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
