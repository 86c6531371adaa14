package compat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"zaqar/test/e2e/daemon"
)

// TestTempest pins what zaqar-tempest-plugin, Zaqar's own integration tests,
// pins of queues, messages, claims and subscriptions; each test here has the name of the one
// there. Its tests of tokens wait for authentication.
//
// The plugin's client checks statuses and the shape of answers on every call,
// and so does tempest below. Where a test there passes for another reason than
// its name says, the one here holds the rule in the name, unless that is false.
func TestTempest(t *testing.T) {
	t.Parallel()
	server := daemon.Start(t, daemon.Options{})
	for class, tests := range map[string][]tempestTest{
		"test_queues":            tempestQueues(),
		"test_queues_negative":   tempestQueuesNegative(),
		"test_messages":          tempestMessages(),
		"test_messages_negative": tempestMessagesNegative(),
		"test_claims":            tempestClaims(),
		"test_claims_negative":   tempestClaimsNegative(),

		"test_subscriptions":          tempestSubscriptions(),
		"test_subscriptions_negative": tempestSubscriptionsNegative(),
	} {
		t.Run(class, func(t *testing.T) {
			for _, c := range tests {
				t.Run(c.name, func(t *testing.T) { c.test(newTempest(t, server)) })
			}
		})
	}
}

type tempestTest struct {
	name string
	test func(*tempest)
}

// tempest is the plugin's client, with a project of its own.
type tempest struct {
	*testing.T
	client *daemon.Client
}

func newTempest(t *testing.T, server *daemon.Daemon) *tempest {
	c := server.Client()
	c.ID = strings.ReplaceAll(uuid.NewString(), "-", "") // as the plugin spells it
	return &tempest{t, c}
}

// queue is the path of a queue.
func queue(name string) string { return "/v2/queues/" + name }

func messagesOf(name string) string { return queue(name) + "/messages" }

func claimsOf(name string) string { return queue(name) + "/claims" }

// send sends a request and checks its status.
func (p *tempest) send(status int, method, path string, body any, headers ...string) *daemon.Answer {
	p.Helper()
	return p.client.Do(p, method, path, body, headers...).Want(status)
}

// refuses is a test that sends one request.
func refuses(status int, method, path string, body any) func(*tempest) {
	return func(p *tempest) { p.send(status, method, path, body) }
}

func (p *tempest) createQueue(name string) {
	p.Helper()
	if a := p.send(201, http.MethodPut, queue(name), nil); len(a.Body) > 0 {
		p.Errorf("create: body %s", a.Body)
	}
}

func (p *tempest) deleteQueue(name string) {
	p.Helper()
	if a := p.send(204, http.MethodDelete, queue(name), nil); len(a.Body) > 0 {
		p.Errorf("delete: body %s", a.Body)
	}
}

// listQueues returns the names on a page.
func (p *tempest) listQueues(query string) (names []string) {
	p.Helper()
	var body struct {
		Queues []struct{ Name, Href *string }
		Links  []struct{ Href, Rel *string }
	}
	p.client.Do(p, http.MethodGet, "/v2/queues"+query, nil).Want(200, 204).JSON(&body)
	if body.Links == nil || len(body.Links) > 1 {
		p.Errorf("links: %v", body.Links)
	}
	for _, l := range body.Links {
		if l.Href == nil || l.Rel == nil {
			p.Errorf("links: %v", body.Links)
		}
	}
	for _, q := range body.Queues {
		if q.Name == nil || q.Href == nil {
			p.Fatalf("queue without name or href")
		}
		names = append(names, *q.Name)
	}
	return names
}

// stats are the numbers of a queue, and whether it shows messages.
type stats struct{ Free, Claimed, Total int }

func (p *tempest) stats(name string) (n stats, ends bool) {
	p.Helper()
	type end struct {
		Href, Created *string
		Age           *int
	}
	var body struct {
		Messages struct {
			Free, Claimed, Total *int
			Oldest, Newest       *end
		}
	}
	m := &body.Messages
	p.send(200, http.MethodGet, queue(name)+"/stats", nil).JSON(&body)
	if m.Free == nil || m.Claimed == nil || m.Total == nil || (m.Oldest == nil) != (m.Newest == nil) {
		p.Fatalf("stats lack something")
	}
	for _, e := range []*end{m.Oldest, m.Newest} {
		if e != nil && (e.Href == nil || e.Created == nil || e.Age == nil || *e.Age < 0) {
			p.Errorf("stats: %+v", e)
		}
	}
	return stats{*m.Free, *m.Claimed, *m.Total}, m.Oldest != nil
}

func (p *tempest) metadata(name string) map[string]any {
	p.Helper()
	var m map[string]any
	p.send(200, http.MethodGet, queue(name), nil).JSON(&m)
	return m
}

const patchType = "Content-Type: application/openstack-messaging-v2.0-json-patch"

// post posts n messages and returns the answer. The queue is created with them.
func (p *tempest) post(name string, n int) (location string, resources []string) {
	p.Helper()
	a := p.send(201, http.MethodPost, messagesOf(name), posts(n))
	resources = a.Resources()
	if len(resources) != n {
		p.Fatalf("%d resources for %d messages", len(resources), n)
	}
	// The plugin cuts what stands before /v2 off, whatever that is.
	at := strings.Index(a.Location(), "/v2")
	if at < 0 {
		p.Fatalf("Location %q", a.Location())
	}
	return a.Location()[at:], resources
}

// posts is the body of a post of n messages.
func posts(n int) any {
	var list []any
	for i := range n {
		list = append(list, map[string]any{"ttl": 300 + i, "body": map[string]any{"key": fmt.Sprint("value", i)}})
	}
	return map[string]any{"messages": list}
}

// checkMessages holds messages against the plugin's schema.
func (p *tempest) checkMessages(list []daemon.Message) []daemon.Message {
	p.Helper()
	for _, m := range list {
		var body map[string]any
		if m.Href == "" || m.TTL < 1 || m.Age < 0 || json.Unmarshal(m.Body, &body) != nil || body == nil {
			p.Errorf("message %+v", m)
		}
	}
	return list
}

// list returns the messages behind a path.
func (p *tempest) list(path string) []daemon.Message {
	p.Helper()
	return p.checkMessages(p.client.Do(p, http.MethodGet, path, nil).Want(200, 204).Messages())
}

// claim claims messages and returns the path of the claim and what it holds.
func (p *tempest) claim(name, query, body string) (path string, list []daemon.Message) {
	p.Helper()
	a := p.send(201, http.MethodPost, claimsOf(name)+query, body)
	list = p.checkMessages(a.Messages())
	at := strings.Index(a.Location(), "/v2")
	if at < 0 || len(list) == 0 {
		p.Fatalf("claim: Location %q, %d messages", a.Location(), len(list))
	}
	return a.Location()[at:], list
}

// showClaim returns the ttl of a claim.
func (p *tempest) showClaim(path string) (ttl int) {
	p.Helper()
	var body struct {
		TTL, Age *int
		Messages []daemon.Message
	}
	p.send(200, http.MethodGet, path, nil).JSON(&body)
	if body.TTL == nil || body.Age == nil || len(p.checkMessages(body.Messages)) == 0 {
		p.Fatalf("claim %+v", body)
	}
	return *body.TTL
}
