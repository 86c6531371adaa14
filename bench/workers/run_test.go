package workers_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zaqar/app/apptest"
	"zaqar/bench/load"
	"zaqar/bench/nullsink"
	"zaqar/bench/workers"
)

func TestRunOnTheProduct(t *testing.T) {
	o := options("http://"+apptest.InMemory(t), 4, 0, 0, 25)
	o.Batch = 3
	r := run(t, o)
	if r.Err() != nil || r.Messages.Posted != 300 || r.Messages.Left != 300 {
		t.Fatalf("posts only: %v, %+v", r.Err(), r.Messages)
	}
	if p := r.Producer; p.Requests != 100 || p.Successful != 100 || p.Messages != 300 || p.PerSecond <= 0 || p.Mean <= 0 || p.Latency.Max < p.Latency.P99 {
		t.Errorf("producers %+v", p)
	}
	if (r.Consumer != workers.ConsumerReport{}) || (r.Observer != workers.ObserverReport{}) {
		t.Errorf("groups without workers: %+v %+v", r.Consumer, r.Observer)
	}

	o = options(o.Server, 0, 3, 2, 20) // 3 × 20 claims of 5 take 300
	o.SkipReset = true
	r = run(t, o)
	m := r.Messages
	if r.Err() != nil || m.Foreign != 300 || m.Posted != 0 || m.Claimed != m.Deleted || m.Claimed+m.Left != 300 {
		t.Errorf("what was there before: %v, %+v", r.Err(), m)
	}
	if c := r.Consumer; c.Claims != 60 || c.Processed != int64(m.Deleted) || c.Requests != 60+c.Processed || c.ClaimMean <= 0 || c.DeleteMean <= 0 {
		t.Errorf("consumers %+v", c)
	}
	if r.Observer.Requests != 40 || r.Observer.Successful != 40 || r.Observer.Mean <= 0 {
		t.Errorf("observers %+v", r.Observer)
	}
}

func TestEverybodyAtOnce(t *testing.T) {
	o := options("http://"+apptest.InMemory(t), 4, 4, 4, 100)
	o.Batch, o.PerClaim, o.PerList = 2, 3, 20
	messages, err := workers.ParseMessages([]byte(`[{"weight": 0.5, "doc": {"ttl": 60, "body": {"href": "/v2/queues/q/messages/x", "n": 1.0}}},
		{"weight": 0.5, "doc": {"ttl": 300, "body": "resources \" messages"}}]`))
	if err != nil {
		t.Fatal(err)
	}
	o.Messages = messages
	r := run(t, o)
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	m := r.Messages
	if m.Posted != 800 || m.Deleted+m.Left != 800 || m.Claimed != m.Deleted {
		t.Errorf("account %+v", m)
	}
	if m.Claimed > 0 && r.Consumer.EndToEnd.Max <= 0 {
		t.Errorf("end to end %+v", r.Consumer.EndToEnd)
	}
}

// TestTheNullSinkIsFoundOut has a server that only looks like one.
func TestTheNullSinkIsFoundOut(t *testing.T) {
	sink := nullsink.New(load.Body(100))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/ping" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		sink.ServeHTTP(w, r)
	}))
	defer server.Close()
	o := options(server.URL, 2, 0, 0, 10)
	o.Queues, o.Prefix = 1, "bench"
	r, err := workers.Run(t.Context(), o)
	if err == nil {
		err = r.Err()
	}
	if err == nil {
		t.Error("no failure")
	}
}

func TestRate(t *testing.T) {
	_, s := newFake(t)
	o := options(s.URL, 3, 0, 0, 0)
	o.Duration, o.Rate = 300*time.Millisecond, 100
	r := run(t, o)
	if p := r.Producer; r.Err() != nil || p.Requests+p.Missed != 30 || p.TargetRate != 100 {
		t.Errorf("%v, %+v", r.Err(), p)
	}
}

// TestLateness lets every answer take longer than posts are apart: what waits
// for its turn is as late as the queue is long.
func TestLateness(t *testing.T) {
	f, s := newFake(t)
	const took = 20 * time.Millisecond
	f.lie = func(_ *fake, _ http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method == "POST" {
			time.Sleep(took) //nolint:forbidigo // a slow server is what is tested
		}
		return false
	}
	o := options(s.URL, 1, 0, 0, 10)
	o.Rate = 1000
	r := run(t, o)
	// The tenth was due after 9 ms and answered after 200 ms at the earliest.
	if least := 10*took - 9*time.Millisecond; r.Producer.Latency.Max < float64(least.Milliseconds()) {
		t.Errorf("the longest latency is %v ms, want at least %v", r.Producer.Latency.Max, least)
	}
}

func TestInterruption(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	f, s := newFake(t)
	posts := 0
	f.lie = func(f *fake, w http.ResponseWriter, r *http.Request, queue string) bool {
		switch {
		case r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/messages"):
			if posts++; posts == 20 {
				interrupt(errors.New("enough"))
			}
		case r.Method == "POST": // claims wait until the client is gone
			f.mu.Unlock()
			never(r)
			f.mu.Lock()
			return true
		}
		return false
	}
	o := options(s.URL, 2, 2, 0, 0)
	o.Wait = 20 * time.Second
	r, err := workers.Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Err() != nil || !r.Interrupted || !r.Messages.Checked || r.Messages.Posted < 19 {
		t.Errorf("%v, %+v", r.Err(), r)
	}
}

func TestServerGoesAway(t *testing.T) {
	f, s := newFake(t)
	n := 0
	f.lie = func(_ *fake, w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method == "POST" {
			n++
		}
		if n > 10 {
			cut(w)
		}
		return n > 10
	}
	r, err := workers.Run(t.Context(), options(s.URL, 2, 2, 2, 0))
	if err == nil || !strings.Contains(err.Error(), "the run was given up") {
		t.Errorf("got %v", err)
	}
	if r == nil || r.Messages.Checked || r.Err() == nil || r.Producer.Requests == 0 {
		t.Errorf("report %+v", r)
	}
}

func TestServerGoesAwayBeforeTheCheck(t *testing.T) {
	f, s := newFake(t)
	f.lie = func(_ *fake, w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method == "GET" && strings.Contains(r.URL.RawQuery, "echo") {
			cut(w)
			return true
		}
		return false
	}
	r, err := workers.Run(t.Context(), options(s.URL, 1, 0, 0, 1))
	if err == nil || !strings.Contains(err.Error(), "could not be checked") || r == nil {
		t.Errorf("got %v", err)
	}
}

// TestEndlessList has a server whose lists have no end.
func TestEndlessList(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options func(*workers.Options)
		want    string
	}{
		{"of more than was posted", func(*workers.Options) {}, "queue q-0: its list has no end"},
		{"of what others may have posted", func(o *workers.Options) { o.SkipReset, o.CheckTime = true, 20*time.Millisecond }, "could not be listed within 20ms"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, s := newFake(t)
			f.lie = func(f *fake, w http.ResponseWriter, r *http.Request, queue string) bool {
				if !isCheck(r) {
					return false
				}
				f.last++
				id := strconv.Itoa(f.last)
				answer(w, 200, page(queue, []*message{{id: id, body: []byte(usual)}}, "/v2/queues/"+queue+"/messages?echo=true&marker="+id))
				return true
			}
			o := options(s.URL, 1, 0, 0, 1)
			o.Queues = 1
			tt.options(&o)
			r, err := workers.Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), "the account could not be checked") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if r == nil || r.Messages.Checked || r.Producer.Successful != 1 {
				t.Errorf("report %+v", r)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := workers.Run(t.Context(), options("http://"+l.Addr().String(), 1, 0, 0, 1)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	if _, err := workers.Run(t.Context(), options(s.URL, 1, 0, 0, 1)); err == nil || !strings.Contains(err.Error(), "/v2/ping was answered with 404") {
		t.Errorf("got %v", err)
	}
}

// TestConnectionsThatClose has a server that closes after each answer.
func TestConnectionsThatClose(t *testing.T) {
	f, s := newFake(t)
	f.lie = func(_ *fake, w http.ResponseWriter, _ *http.Request, _ string) bool {
		w.Header().Set("Connection", "close")
		return false
	}
	if r := run(t, options(s.URL, 2, 2, 2, 10)); r.Err() != nil {
		t.Error(r.Err())
	}
}

// tokens is an identity service that gives numbers.
type tokens struct{ n atomic.Int64 }

func (a *tokens) Token() (string, string) { return "token-" + string(rune('0'+a.n.Load())), "project" }
func (a *tokens) Renew(_ context.Context, refused string) error {
	if now, _ := a.Token(); now == refused {
		a.n.Add(1)
	}
	return nil
}

func TestTokensAreRenewed(t *testing.T) {
	f, s := newFake(t)
	valid := "token-0"
	requests := 0
	f.lie = func(_ *fake, w http.ResponseWriter, r *http.Request, _ string) bool {
		if requests++; requests == 20 {
			valid = "token-1"
		}
		if r.Header.Get("X-Auth-Token") == valid && r.Header.Get("X-Project-ID") == "project" {
			return false
		}
		answer(w, http.StatusUnauthorized, map[string]any{})
		return true
	}
	o := options(s.URL, 1, 1, 1, 20)
	o.Project, o.Auth = "", new(tokens)
	if r := run(t, o); r.Err() != nil || r.Messages.Posted != 20 {
		t.Errorf("%v, %+v", r.Err(), r.Messages)
	}
	o.Auth = nil
	if _, err := workers.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without tokens: %v", err)
	}
}

// TestWithoutMarkerNoClaimed has a server that cannot list claimed messages
// without a marker, and begins anew at its end, as the original on Redis.
func TestWithoutMarkerNoClaimed(t *testing.T) {
	f, s := newFake(t)
	f.lie = func(f *fake, w http.ResponseWriter, r *http.Request, queue string) bool {
		q := r.URL.Query()
		if r.Method != "GET" || q.Get("limit") == "" {
			return false
		}
		if q.Get("include_claimed") != "" && q.Get("marker") == "" {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return true
		}
		if all := f.queues[queue]; len(all) > 0 && q.Get("marker") >= all[len(all)-1].id {
			q.Del("marker")
			r.URL.RawQuery = q.Encode()
		}
		return false
	}
	o := options(s.URL, 1, 0, 0, 30)
	o.Queues = 1
	if r := run(t, o); r.Err() != nil || r.Messages.Left != 30 {
		t.Errorf("%v, %+v", r.Err(), r.Messages)
	}
}

// TestLinkOnEmptyPage has a server that gives a link from each page, also from
// an empty one: back to itself.
func TestLinkOnEmptyPage(t *testing.T) {
	f, s := newFake(t)
	f.lie = func(f *fake, w http.ResponseWriter, r *http.Request, queue string) bool {
		all := f.queues[queue]
		if !isList(r) || len(all) > 0 && r.URL.Query().Get("marker") < all[len(all)-1].id {
			return false
		}
		answer(w, http.StatusOK, page(queue, nil, r.URL.String()))
		return true
	}
	if r := run(t, options(s.URL, 1, 0, 1, 30)); r.Err() != nil || r.Messages.Left != 30 {
		t.Errorf("%v, %+v", r.Err(), r.Messages)
	}
}

func TestProgress(t *testing.T) {
	_, s := newFake(t)
	o := options(s.URL, 1, 1, 1, 0)
	o.Duration = 1200 * time.Millisecond
	var told []workers.Progress
	o.Progress = func(p workers.Progress) { told = append(told, p) }
	run(t, o)
	if len(told) == 0 || told[0].Posts == 0 || told[0].Lists == 0 || told[0].Elapsed <= 0 {
		t.Errorf("progress %+v", told)
	}
}
