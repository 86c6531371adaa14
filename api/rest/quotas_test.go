package rest_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"zaqar/messaging"
)

// stores runs a test over each store.
func stores(t *testing.T, test func(t *testing.T, open open)) {
	t.Run("memory", func(t *testing.T) { test(t, openMemory) })
	t.Run("embedded", func(t *testing.T) { test(t, openEmbedded) })
}

// usage returns what a project has of something.
func (s *server) usage(l messaging.Limit) int {
	s.t.Helper()
	return s.get("/v2/quotas/" + project).want(200).num("usage." + string(l))
}

// retry returns the seconds of Retry-After.
func (r *reply) retry() int {
	r.t.Helper()
	n, err := strconv.Atoi(r.header.Get("Retry-After"))
	if err != nil || n < 1 {
		r.t.Fatalf("%s: Retry-After %q", r.what, r.header.Get("Retry-After"))
	}
	return n
}

// TestRequestRate goes too fast: every route that knows its caller is limited,
// nothing is done, and after the time told there is room again.
func TestRequestRate(t *testing.T) {
	stores(t, func(t *testing.T, open open) {
		s := newServer(t, open, withQuotas(messaging.Limits{messaging.LimitRequests: 1, messaging.LimitRequestBurst: 2}))
		s.get("/v2/ping").want(204)
		s.put("/v2/queues/q", "").want(201)
		r := s.post("/v2/queues/q/messages", `{"messages":[{"body":1}]}`).want(429)
		equal(t, "Retry-After", r.retry(), 1)
		s.get("/v2/queues").want(429)
		s.get("/v2/quotas/" + project).want(429)
		s.get("/v2/queues/q", "User-Agent: python-requests/2.32.3").want(503).retry()
		if logs := s.logs.String(); strings.Contains(logs, "level=ERROR") {
			t.Errorf("a client that goes too fast is logged as an error:\n%s", logs)
		}
		s.get("/").want(300) // nobody's
		s.get("/v2/ping", "X-Project-ID: other").want(204)
		s.advance(1)
		equal(t, "messages", s.listed("q", ""), []string{})
		s.get("/v2/ping").want(429)
	})
}

// TestRequestRateOfNonsense counts requests that are refused for their form: they
// are a project's like others.
func TestRequestRateOfNonsense(t *testing.T) {
	for name, headers := range map[string][]string{
		"a form":    {"Content-Type: application/x-www-form-urlencoded"},
		"accept":    {"Accept: text/html"},
		"client id": {"Client-ID: nobody"},
		"task":      {"Extra-Spec: nonsense"},
	} {
		s := newServer(t, openMemory, withQuotas(messaging.Limits{messaging.LimitRequests: 1}))
		body := `{"messages":[{"body":1}]}`
		if r := s.post("/v2/queues/q/messages", body, headers...); r.status == 429 || r.status < 400 {
			t.Errorf("%s: %d", name, r.status)
		}
		s.post("/v2/queues/q/messages", body, headers...).want(429)
		s.get("/v2/ping").want(429)
	}
	s := newServer(t, openMemory, withQuotas(messaging.Limits{messaging.LimitRequests: 1}))
	for range 3 { // no project can have this id
		s.get("/v2/ping", "X-Project-ID: "+strings.Repeat("x", 300)).want(400)
	}
	equal(t, "projects", s.quotas.Stats().Projects, 0)
}

// TestByteRate is charged for what it sent and for what it got.
func TestByteRate(t *testing.T) {
	s := newServer(t, openMemory, withQuotas(messaging.Limits{messaging.LimitByteRate: 1000, messaging.LimitByteBurst: 4000}))
	s.posted("q", `"`+strings.Repeat("x", 3000)+`"`) // and some hundred for the answer
	s.get("/v2/queues/q/messages?echo=true").want(200)
	wait := s.get("/v2/ping").want(429).retry()
	if wait < 2 || wait > 4 {
		t.Errorf("wait %d s for about 2,500 bytes at 1,000 a second", wait)
	}
	s.advance(wait)
	s.get("/v2/ping").want(204)
	s.post("/v2/queues/q/messages", strings.Repeat("x", 200_000)).want(400) // read before it was refused
	if wait := s.get("/v2/ping").want(429).retry(); wait < 190 {
		t.Errorf("wait %d s after 200,000 bytes of nonsense", wait)
	}
}

// TestByteRateOfWaiters is charged once for a body, however often the request
// comes back.
func TestByteRateOfWaiters(t *testing.T) {
	for name, how := range map[string]func(*setup){
		"connection": func(*setup) {},
		"handler":    func(set *setup) { set.bare = true },
		"stream":     func(set *setup) { set.http2 = true },
	} {
		t.Run(name, func(t *testing.T) {
			passes := make(chan struct{}, 10)
			s := newServer(t, openMemory, withQuotas(messaging.Limits{messaging.LimitByteRate: 1000, messaging.LimitByteBurst: 50_000}), how,
				func(set *setup) { set.rest.Patience, set.rest.Identity = 0, announcing{passes} })
			result := make(chan *reply, 1)
			go func() { result <- s.post("/v2/queues/q/claims?wait=1", "{"+strings.Repeat(" ", 30_000)+"}") }()
			for range 3 { // the broker's clock stands still
				<-passes
			}
			s.posted("q", "1")
			(<-result).want(201)
			s.get("/v2/ping").want(204)
		})
	}
}

// TestQuotaOfParallelPosts posts from many clients at once: what there is room
// for is stored, exactly.
func TestQuotaOfParallelPosts(t *testing.T) {
	stores(t, func(t *testing.T, open open) {
		const clients, rounds, limit = 12, 10, 50
		s := newServer(t, open, withQuotas(messaging.Limits{messaging.LimitMessages: limit, messaging.LimitQueues: 2}))
		var stored, refused atomic.Int64
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				for j := range rounds {
					res, err := plain.Do(s.request("POST", fmt.Sprintf("/v2/queues/q%d/messages", (i+j)%3), `{"messages":[{"body":1}]}`))
					if err != nil {
						t.Error(err)
						return
					}
					res.Body.Close()
					switch res.StatusCode {
					case http.StatusCreated:
						stored.Add(1)
					case http.StatusForbidden:
						refused.Add(1)
					default:
						t.Errorf("status %d", res.StatusCode)
					}
				}
			})
		}
		all.Wait()
		equal(t, "stored and refused", stored.Load()+refused.Load(), clients*rounds)
		equal(t, "messages", s.usage(messaging.LimitMessages), int(stored.Load()))
		equal(t, "queues", s.usage(messaging.LimitQueues), 2)
		if stored.Load() != limit {
			t.Errorf("%d messages are stored of a quota of %d", stored.Load(), limit)
		}
	})
}

// TestWhatFreesAQuota takes messages away in every way there is. Each gives
// room at once.
func TestWhatFreesAQuota(t *testing.T) {
	stores(t, func(t *testing.T, open open) {
		s := newServer(t, open, withQuotas(messaging.Limits{messaging.LimitMessages: 4, messaging.LimitQueues: 2}))
		full := func() []string {
			t.Helper()
			ids := s.posted("q", "1", "2", "3", "4")
			s.post("/v2/queues/q/messages", `{"messages":[{"body":5}]}`).want(403)
			return ids
		}
		ids := full()
		s.delete("/v2/queues/q/messages/" + ids[0]).want(204)
		s.posted("q", "5")
		s.delete("/v2/queues/q/messages?pop=4").want(200)
		ids = full()
		s.delete("/v2/queues/q/messages?ids=" + strings.Join(ids, ",")).want(204)
		full()
		path, ids := s.claimed("q", 2, `{"ttl": 60}`)
		s.post("/v2/queues/q/messages", `{"messages":[{"body":5}]}`).want(403) // a claim takes nothing away
		for _, id := range ids {
			s.delete("/v2/queues/q/messages/" + id + "?claim_id=" + claimID(path)).want(204)
		}
		equal(t, "messages", s.usage(messaging.LimitMessages), 2)
		s.post("/v2/queues/q/purge", `{"resource_types": ["messages"]}`).want(204)
		full()
		s.advance(3600) // they expire
		full()
		s.delete("/v2/queues/q").want(204)
		equal(t, "queues", s.usage(messaging.LimitQueues), 0)
		full()
	})
}

// TestQuotaAndDeadLetters moves messages to a queue for which there is no room
// left: the server does not refuse what it does itself, but counts it.
func TestQuotaAndDeadLetters(t *testing.T) {
	stores(t, func(t *testing.T, open open) {
		s := newServer(t, open, withQuotas(messaging.Limits{messaging.LimitMessages: 1, messaging.LimitQueues: 1}))
		s.put("/v2/queues/q", `{"_max_claim_count": 1, "_dead_letter_queue": "dead"}`).want(201)
		s.posted("q", "1")
		s.claimed("q", 1, `{"ttl": 60}`)
		s.advance(60)
		s.post("/v2/queues/q/claims", "").want(204)
		equal(t, "dead letters", s.listed("dead", ""), []string{"1"})
		equal(t, "messages", s.usage(messaging.LimitMessages), 1)
		equal(t, "queues", s.usage(messaging.LimitQueues), 2)
		s.put("/v2/queues/r", "").want(403)
	})
}

// TestQuotaOfSealedBytes counts bodies as they are stored.
func TestQuotaOfSealedBytes(t *testing.T) {
	stores(t, func(t *testing.T, open open) {
		s := newServer(t, open, withKey("k1"), withQuotas(messaging.Limits{messaging.LimitMessageBytes: 1000}))
		s.put("/v2/queues/q", `{"_enable_encrypt_messages": true}`).want(201)
		s.posted("q", `"0123456789"`)
		if n := s.usage(messaging.LimitMessageBytes); n <= 12 || n > 100 {
			t.Errorf("a sealed body of 12 bytes counts %d", n)
		}
		s.post("/v2/queues/q/messages", `{"messages":[{"body":"`+strings.Repeat("x", 990)+`"}]}`).want(403)
	})
}

// TestQuotaOfWaits has more requests wait than may, in their handlers and on
// their connections.
func TestQuotaOfWaits(t *testing.T) {
	patiences(t, func(t *testing.T, patience func(*setup)) {
		s := newServer(t, openMemory, patience, withQuotas(messaging.Limits{messaging.LimitWaiting: 1}))
		first := s.async(s.request("GET", "/v2/queues/q/messages?echo=true&wait=20", ""))
		for s.usage(messaging.LimitWaiting) == 0 { // it is on its way
		}
		s.get("/v2/queues/q/messages?wait=20").want(429).retry()
		s.post("/v2/queues/q/claims?wait=20", "").want(429)
		s.get("/v2/queues/q/messages?wait=0").want(200)
		s.posted("q", "1")
		if status := <-first; status != 200 {
			t.Errorf("the one that waited got %d", status)
		}
		s.get("/v2/queues/q/messages?echo=true&wait=20").want(200) // there is something
		equal(t, "waiting", s.usage(messaging.LimitWaiting), 0)
	})
}

// TestQuotasOutsideAdminMode shows tenants theirs and lets nobody change any.
func TestQuotasOutsideAdminMode(t *testing.T) {
	s := newServer(t, openMemory, withQuotas(messaging.Limits{messaging.LimitQueues: 1}))
	s.get("/v2/quotas/" + project).want(200)
	s.get("/v2/quotas/" + project + "/defaults").want(200)
	s.get("/v2/quotas/other").want(403)
	s.get("/v2/quotas/other/defaults").want(403)
	s.get("/v2/quotas", "X-Roles: admin").want(404)
	s.put("/v2/quotas/"+project, `{"quota":{"queues":2}}`, "X-Roles: admin").want(405).wantHeader("Allow", "GET, OPTIONS")
	s.delete("/v2/quotas/"+project, "X-Roles: admin").want(405)
}

// TestQuotaProjects has projects with names of all sorts.
func TestQuotaProjects(t *testing.T) {
	s := newServer(t, openMemory, adminMode, withQuotas(nil))
	long := strings.Repeat("é", messaging.MaxProjectLength)
	for _, escaped := range []string{"..", "%2F", "a%2fb", "defaults", "%C3%A9", long, "%00", "a%20b", "%25", "*"} {
		path := "/v2/quotas/" + escaped
		s.put(path, `{"quota":{"queues":7}}`, "X-Roles: admin").want(200)
		equal(t, escaped, s.get(path, "X-Roles: admin").want(200).num("quota.queues"), 7)
		equal(t, escaped+"/defaults", s.get(path+"/defaults", "X-Roles: admin").want(200).num("quota.queues"), -1)
		s.delete(path, "X-Roles: admin").want(204)
		equal(t, escaped, s.get(path, "X-Roles: admin").want(200).num("quota.queues"), -1)
	}
	for _, path := range []string{"/v2/quotas/" + long + "e", "/v2/quotas/%ff", "/v2/quotas/"} {
		s.get(path, "X-Roles: admin").want(400)
		s.put(path, `{"quota":{"queues":7}}`, "X-Roles: admin").want(400)
	}
	s.get("/v2/quotas/a/usage", "X-Roles: admin").want(404)
}
