package workers_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"zaqar/bench/workers"
)

func isPost(r *http.Request) bool {
	return r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/messages")
}
func isClaim(r *http.Request) bool {
	return r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/claims")
}
func isDelete(r *http.Request) bool {
	return r.Method == "DELETE" && strings.Contains(r.URL.Path, "/messages/")
}
func isList(r *http.Request) bool {
	return r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/messages")
}

// isCheck is the list at the end.
func isCheck(r *http.Request) bool { return isList(r) && r.URL.Query().Get("echo") == "true" }

// usual is the message that is posted.
const usual = `{"id":"7FA23C90-62F7-40D2-9360-FBD5D7D61CD1","evt":"Single"}`

// call is a request to a lying server.
type call struct {
	*fake
	w     http.ResponseWriter
	r     *http.Request
	queue string
}

func (c *call) says(status int, doc any) bool { answer(c.w, status, doc); return true }

func (c *call) refuses(status int) bool { http.Error(c.w, "no", status); return true }

func (c *call) all() []*message { return c.queues[c.queue] }

// hides answers as if a message were not there.
func (c *call) hides(i int) bool {
	kept := c.all()
	c.queues[c.queue] = slices.Delete(slices.Clone(kept), i, i+1)
	c.list(c.w, c.r, c.queue)
	c.queues[c.queue] = kept
	return true
}

// TestLies has a server that lies once, and what is said of it. A producer
// posts five messages to one queue; then a consumer claims them all, or an
// observer lists them, or nobody does anything.
func TestLies(t *testing.T) {
	type account = workers.Account
	tests := []struct {
		name                 string
		consumers, observers int
		when                 func(*http.Request) bool
		nth                  int              // of such requests
		lie                  func(*call) bool // reports whether it has answered
		want                 string           // in the failures
		count                func(*account) int
	}{
		{"loses a message", 0, 0, isPost, 5, func(c *call) bool {
			c.post(c.w, c.r, c.queue)
			c.queues[c.queue] = c.all()[:4]
			return true
		}, "1 lost (", func(a *account) int { return a.Lost }},
		{"deletes what it says was not deleted", 1, 0, isDelete, 1, func(c *call) bool {
			c.queues[c.queue] = c.all()[1:]
			return c.refuses(400)
		}, "1 lost (", func(a *account) int { return a.Lost }},
		{"posts twice", 0, 0, isPost, 4, func(c *call) bool {
			c.add(c.queue, usual)
			return false
		}, "1 never posted (", func(a *account) int { return a.Phantom }},
		{"gives an id twice", 0, 0, isPost, 4, func(c *call) bool {
			return c.says(201, map[string]any{"resources": []string{"/v2/queues/q-0/messages/" + c.all()[0].id}})
		}, "1 duplicate (", func(a *account) int { return a.Duplicated }},
		{"hands out twice", 1, 0, isClaim, 1, func(c *call) bool {
			for _, m := range c.all() {
				m.claim = "c"
			}
			return c.says(201, page(c.queue, append(slices.Clone(c.all()[:4]), c.all()[0]), ""))
		}, "1 claimed twice (", func(a *account) int { return a.Duplicated * a.DeletedTwice }},
		{"forgets a delete", 1, 0, isDelete, 2, func(c *call) bool {
			c.w.WriteHeader(204)
			return true
		}, "1 back after deletion (", func(a *account) int { return a.Undead }},
		{"alters a body", 0, 0, isPost, 5, func(c *call) bool {
			c.post(c.w, c.r, c.queue)
			c.all()[4].body = json.RawMessage(`{"evt":"Single"}`)
			return true
		}, "1 with another body (", func(a *account) int { return a.Altered }},
		{"alters a body on the way to a consumer", 1, 0, isClaim, 1, func(c *call) bool {
			c.all()[4].body = json.RawMessage(`null`)
			return false
		}, "1 with another body (", func(a *account) int { return a.Altered }},
		{"hands out in the wrong order", 1, 0, isClaim, 1, func(c *call) bool {
			slices.Reverse(c.all())
			return false
		}, "4 out of order (", func(a *account) int { return a.Reordered - 3 }},
		{"lists in the wrong order", 0, 1, isList, 1, func(c *call) bool {
			slices.Reverse(c.all())
			c.list(c.w, c.r, c.queue)
			slices.Reverse(c.all())
			return true
		}, "4 out of order (", func(a *account) int { return a.Reordered - 3 }},
		{"lists a message twice", 0, 1, isList, 1, func(c *call) bool {
			return c.says(200, page(c.queue, append(slices.Clone(c.all()[:2]), c.all()[0]), "/v2/queues/q-0/messages?limit=5&marker="+c.all()[1].id))
		}, "1 duplicate (", func(a *account) int { return a.Duplicated }},
		{"skips a message", 0, 1, isList, 1, func(c *call) bool { return c.hides(2) },
			"1 missed by a reader (", func(a *account) int { return a.Skipped }},
		{"hides a message", 0, 0, isCheck, 1, func(c *call) bool { return c.hides(2) },
			"1 lost (", func(a *account) int { return a.Lost }},
		{"invents a message", 0, 1, isList, 1, func(c *call) bool {
			return c.says(200, page(c.queue, []*message{{id: "z", body: json.RawMessage(usual)}}, "/v2/queues/q-0/messages?limit=5&marker=z"))
		}, "1 never posted (q-0/z)", func(a *account) int { return a.Phantom }},

		{"refuses a post", 0, 0, isPost, 4, func(c *call) bool { return c.refuses(503) }, "1 of 5 posts failed, such as: POST /v2/queues/q-0/messages was answered with 503: no", nil},
		{"stores what it refuses", 0, 0, isPost, 4, func(c *call) bool {
			c.add(c.queue, usual)
			return c.refuses(503)
		}, "1 of 5 posts failed", func(a *account) int { return a.Unsure - a.Phantom }},
		{"stores what it finds wrong", 0, 0, isPost, 4, func(c *call) bool {
			c.add(c.queue, usual)
			return c.refuses(400)
		}, "1 never posted", func(a *account) int { return a.Phantom - a.Unsure }},
		{"deletes what it refuses to", 1, 0, isDelete, 1, func(c *call) bool {
			c.queues[c.queue] = c.all()[1:]
			return c.refuses(500)
		}, "1 of 5 deletes failed", func(a *account) int { return 1 + a.Lost }},
		{"refuses a claim", 1, 0, isClaim, 1, func(c *call) bool { return c.refuses(503) }, "1 of 5 claims failed", nil},
		{"refuses a list", 0, 1, isList, 1, func(c *call) bool { return c.refuses(404) }, "1 of 5 lists failed", nil},
		{"names too few ids", 0, 0, isPost, 4, func(c *call) bool {
			return c.says(201, map[string]any{"resources": []string{}})
		}, "of 1 messages was answered with 0 ids", nil},
		{"names a message of another queue", 0, 0, isPost, 4, func(c *call) bool {
			return c.says(201, map[string]any{"resources": []string{"/v2/queues/other/messages/x"}})
		}, "is no message of queue q-0", nil},
		{"speaks no JSON", 0, 0, isPost, 4, func(c *call) bool {
			c.w.Header().Set("Content-Length", "6")
			c.w.WriteHeader(201)
			_, _ = c.w.Write([]byte("<html>"))
			return true
		}, "1 of 5 posts failed", nil},
		{"hands out too many", 1, 0, isClaim, 1, func(c *call) bool {
			return c.says(201, page(c.queue, slices.Repeat(c.all(), 2), ""))
		}, "was answered with 10 messages", nil},
		{"hands out without a claim", 1, 0, isClaim, 1, func(c *call) bool {
			return c.says(201, page(c.queue, c.all(), ""))
		}, "names no claim", nil},
		{"lists too many", 0, 1, isList, 1, func(c *call) bool {
			return c.says(200, page(c.queue, slices.Repeat(c.all(), 2), "x"))
		}, "was answered with 10 messages", nil},
		{"lists no messages", 0, 1, isList, 1, func(c *call) bool { return c.says(200, map[string]any{"links": []any{}}) }, "unexpected form", nil},
		{"lists nothing at all", 0, 1, isList, 1, func(c *call) bool { c.w.WriteHeader(200); return true }, "the answer is empty", nil},
		{"leads nowhere", 0, 1, isList, 1, func(c *call) bool { return c.says(200, page(c.queue, c.all(), "")) }, "without a link to the next page", nil},
		{"leads in a circle", 0, 1, isList, 1, func(c *call) bool { return c.says(200, page(c.queue, c.all(), c.r.URL.String())) }, "a link to itself", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, s := newFake(t)
			f.after = 5
			f.lie = func(f *fake, w http.ResponseWriter, r *http.Request, queue string) bool {
				c := &call{f, w, r, queue}
				if !tt.when(r) {
					return false
				}
				tt.nth--
				return tt.nth == 0 && tt.lie(c)
			}
			o := options(s.URL, 1, tt.consumers, tt.observers, 5)
			o.Queues = 1
			r := run(t, o)
			if err := r.Err(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if tt.count != nil && tt.count(&r.Messages) != 1 {
				t.Errorf("account %+v", r.Messages)
			}
		})
	}
}
