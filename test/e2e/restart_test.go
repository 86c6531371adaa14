package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/test/e2e/daemon"
)

// TestRestartKeepsEverything ends a server in both ways and compares all that
// it shows before and after.
func TestRestartKeepsEverything(t *testing.T) {
	for name, end := range map[string]func(*daemon.Daemon, testing.TB){
		"stopped": (*daemon.Daemon).Stop,
		"killed":  (*daemon.Daemon).Kill,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := daemon.Start(t, daemon.Options{})
			c := first.Client()
			seen := fill(t, c)
			before := observe(t, c, seen)
			end(first, t)

			second := daemon.Start(t, daemon.Options{Dir: first.Dir})
			c.URL = second.URL
			if d := cmp.Diff(before, observe(t, c, seen)); d != "" {
				t.Errorf("before and after the restart differ:\n%s", d)
			}
			goOn(t, c, seen)
		})
	}
}

// things are what fill made.
type things struct {
	claim, released, next string // paths
	held                  []string
}

// fill gives a server one of everything.
func fill(t *testing.T, c *daemon.Client) things {
	t.Helper()
	c.Do(t, http.MethodPut, "/v2/queues/jobs", `{"_default_message_ttl": 600, "_max_claim_count": 5, "_dead_letter_queue": "dead", "note": {"a": [1, null]}}`).Want(201)
	c.Do(t, http.MethodPut, "/v2/queues/empty", nil).Want(201)
	c.Do(t, http.MethodPut, "/v2/queues/later", `{"_default_message_delay": 900}`).Want(201)
	c.Do(t, http.MethodPut, "/v2/queues/gone", nil).Want(201)
	c.Do(t, http.MethodPut, "/v2/topics/news", `{"kind": "topic"}`).Want(201)
	c.Post(t, "later", "not yet")
	c.Post(t, "gone", "lost")
	c.Do(t, http.MethodDelete, "/v2/queues/gone", nil).Want(204)

	var resources []string
	for i := range 5 {
		var bodies []any
		for j := range 10 {
			bodies = append(bodies, map[string]any{"n": i*10 + j, "pad": strings.Repeat("x", i*1000)})
		}
		resources = append(resources, c.Post(t, "jobs", bodies...)...)
	}
	c.Do(t, http.MethodDelete, resources[3], nil).Want(204)
	c.Do(t, http.MethodDelete, "/v2/queues/jobs/messages?pop=2", nil).Want(200)

	released := c.Do(t, http.MethodPost, "/v2/queues/jobs/claims?limit=4", `{"ttl": 300, "grace": 60}`).Want(201)
	c.Do(t, http.MethodDelete, released.Location(), nil).Want(204)
	claim := c.Do(t, http.MethodPost, "/v2/queues/jobs/claims?limit=3", `{"ttl": 40000, "grace": 60}`).Want(201)
	made := things{claim: claim.Location(), released: released.Location()}
	for _, m := range claim.Messages() {
		made.held = append(made.held, m.Href)
	}
	c.Do(t, http.MethodDelete, made.held[0], nil).Want(204)
	made.held = made.held[1:]

	page := c.Do(t, http.MethodGet, "/v2/queues/jobs/messages?echo=true&limit=7", nil).Want(200)
	made.next = nextLink(page)
	return made
}

func nextLink(page *daemon.Answer) string {
	var body struct {
		Links []struct{ Href string }
	}
	page.JSON(&body)
	if len(body.Links) == 0 {
		return ""
	}
	return body.Links[0].Href
}

// observe is all that a server shows, but for ages.
func observe(t *testing.T, c *daemon.Client, made things) map[string]any {
	t.Helper()
	shown := map[string]any{}
	for _, p := range []string{
		"/v2/queues?detailed=true&with_count=true", "/v2/topics?detailed=true",
		"/v2/queues/jobs/stats", "/v2/queues/later/stats", "/v2/queues/gone/stats",
		"/v2/queues/later/messages?echo=true&include_delayed=true",
		made.claim, made.released, made.next,
	} {
		a := c.Do(t, http.MethodGet, p, nil)
		var body any
		a.JSON(&body)
		shown[p] = map[string]any{"status": a.Status, "body": ageless(body)}
	}
	list := c.List(t, "jobs")
	for i := range list {
		list[i].Age = 0
	}
	shown["messages"] = list
	return shown
}

// ageless sets every age to 0.
func ageless(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if v[k] = ageless(e); k == "age" {
				v[k] = 0
			}
		}
	case []any:
		for i, e := range v {
			v[i] = ageless(e)
		}
	}
	return v
}

// goOn uses the claim, the link and the order that were there before.
func goOn(t *testing.T, c *daemon.Client, made things) {
	t.Helper()
	c.Do(t, http.MethodDelete, strings.Split(made.held[0], "?")[0], nil).Want(403)
	c.Do(t, http.MethodDelete, made.held[0], nil).Want(204)
	c.Do(t, http.MethodPatch, made.claim, `{"ttl": 60}`).Want(204)
	c.Do(t, http.MethodDelete, made.claim, nil).Want(204)

	newest := path.Base(c.Post(t, "jobs", "after the restart")[0])
	list := c.List(t, "jobs")
	for _, m := range list[:len(list)-1] {
		if m.ID == newest {
			t.Errorf("two messages have the id %s", newest)
		}
	}
	if list[len(list)-1].ID != newest {
		t.Error("the message posted last is not the last one")
	}
	var numbers []int
	for _, m := range list[:len(list)-1] {
		var body struct{ N int }
		if err := json.Unmarshal(m.Body, &body); err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, body.N)
	}
	var want []int
	for n := range 50 {
		switch n {
		case 0, 1, 3: // popped, popped, deleted
		case 2, 4: // deleted under the claim
		default:
			want = append(want, n)
		}
	}
	if d := cmp.Diff(want, numbers); d != "" {
		t.Errorf("messages (-want +got):\n%s", d)
	}
}

// TestRestartsAddNothing restarts a server several times and looks for
// messages that come back or double.
func TestRestartsAddNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var c *daemon.Client
	for round := range 5 {
		d := daemon.Start(t, daemon.Options{Dir: dir})
		if c == nil {
			c = d.Client()
		}
		c.URL = d.URL
		for _, m := range c.List(t, "q") {
			if want := fmt.Sprintf(`"kept %d"`, round-1); string(m.Body) != want {
				t.Errorf("round %d: found %s, want %s", round, m.Body, want)
			}
		}
		c.Do(t, http.MethodDelete, "/v2/queues/q/messages?pop=20", nil).Want(200)
		c.Post(t, "q", fmt.Sprint("kept ", round))
		if round%2 == 0 {
			d.Kill(t)
		} else {
			d.Stop(t)
		}
	}
}
