package keystone

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"zaqar/internal/testwait"
)

// trusting is the configuration of a server that is a trustee and may reach
// this machine. Its trustee has no role anywhere.
func (c *cast) trusting(t *testing.T) string {
	t.Helper()
	if c.users["trustee"] == "" {
		c.users["trustee"] = c.make(t, "user", "/users", object{"name": "trustee", "domain_id": "default", "password": passwordOf("trustee")})
		c.secrets = append(c.secrets, passwordOf("trustee"))
	}
	return c.config("") + fmt.Sprintf(`
[notification]
allowed_targets = 127.0.0.1

[trustee]
auth_type = password
auth_url = %s
username = trustee
password = %s
user_domain_name = Default
`, strings.TrimSuffix(c.URL, "/v3"), passwordOf("trustee"))
}

// trust returns what Keystone knows of a trust, nil if there is none.
func (c *cast) trust(t *testing.T, id string) object {
	t.Helper()
	out, _ := c.call(t, c.admin, "GET", "/OS-TRUST/trusts?trustee_user_id="+c.users["trustee"], nil, http.StatusOK)
	for _, x := range out["trusts"].([]any) {
		if x.(object)["id"] == id {
			return x.(object)
		}
	}
	return nil
}

// subscription is one as clients see it.
type subscription struct {
	ID      string
	Options map[string]any
}

func (z *zaqar) subscription(t *testing.T, token, queue, id string) subscription {
	t.Helper()
	var s subscription
	z.do(t, token, "GET", "/v2/queues/"+queue+"/subscriptions/"+id, nil).Want(200).JSON(&s)
	return s
}

func (z *zaqar) subscribe(t *testing.T, token, queue string, what object) subscription {
	t.Helper()
	var made struct{ Subscription_ID string }
	z.do(t, token, "POST", "/v2/queues/"+queue+"/subscriptions", what).Want(201).JSON(&made)
	return z.subscription(t, token, queue, made.Subscription_ID)
}

// trusts has deliveries made in the name of whoever subscribed, into a queue
// that is open to nobody else.
func trusts(t *testing.T, c *cast, _ *zaqar) {
	z := start(t, c.trusting(t))
	alice := c.of(t, "alice", "demo-a")
	into := object{
		"subscriber": "trust+" + z.URL + "/v2/queues/trusted-b/messages", "ttl": 3600,
		"options": object{
			"post_data":    `{"messages": [{"body": "$zaqar_message$", "ttl": 60}]}`,
			"post_headers": object{"X-Project-ID": "ignored", "Client-ID": "3381af92-2b9e-11e3-b191-71861300734c"},
		},
	}
	sub := z.subscribe(t, alice, "trusted-a", into)
	id, _ := sub.Options["trust_id"].(string)
	trust := c.trust(t, id)
	if trust == nil || trust["trustor_user_id"] != c.users["alice"] || trust["trustee_user_id"] != c.users["trustee"] ||
		trust["project_id"] != c.projects["demo-a"] || trust["impersonation"] != true {
		t.Fatalf("options %v, trust %v", sub.Options, trust)
	}
	if whole, _ := c.call(t, c.admin, "GET", "/OS-TRUST/trusts/"+id, nil, http.StatusOK); !hasRole(whole["trust"].(object), "member") {
		t.Errorf("the trust grants %v", whole)
	}
	if ends, err := time.Parse("2006-01-02T15:04:05.999999Z", fmt.Sprint(trust["expires_at"])); err != nil || time.Until(ends) > time.Hour+time.Minute || time.Until(ends) < 30*time.Minute {
		t.Errorf("the trust ends at %v, %v", trust["expires_at"], err)
	}

	arrived := func(n int) {
		t.Helper()
		var list struct{ Messages []struct{ Body object } }
		testwait.Until(t, fmt.Sprint("delivery ", n), func() bool {
			a := z.do(t, alice, "GET", "/v2/queues/trusted-b/messages?echo=true", nil).Want(200, 204)
			list.Messages = nil
			if a.Status == 200 {
				a.JSON(&list)
			}
			return len(list.Messages) >= n
		})
		if got := list.Messages[n-1].Body; got["queue_name"] != "trusted-a" || got["Message_Type"] != "Notification" || fmt.Sprint(got["body"]) != fmt.Sprint(n) {
			t.Errorf("delivered was %v", got)
		}
	}
	post := func(n int) {
		t.Helper()
		z.do(t, alice, "POST", "/v2/queues/trusted-a/messages", object{"messages": []object{{"body": n}}}).Want(201)
	}
	post(1)
	arrived(1)

	// A new lifetime needs a new trust, also one of ages.
	item := "/v2/queues/trusted-a/subscriptions/" + sub.ID
	z.do(t, alice, "PATCH", item, object{"ttl": 220367260800}).Want(204)
	later, _ := z.subscription(t, alice, "trusted-a", sub.ID).Options["trust_id"].(string)
	if trust := c.trust(t, later); later == id || trust == nil || !strings.HasPrefix(fmt.Sprint(trust["expires_at"]), "90") {
		t.Errorf("trust %q then %q: %v", id, later, trust)
	}
	testwait.Until(t, "the first trust is removed", func() bool { return c.trust(t, id) == nil })
	post(2)
	arrived(2)

	z.do(t, alice, "DELETE", item, nil).Want(204)
	testwait.Until(t, "the trust is removed", func() bool { return c.trust(t, later) == nil })
	noSecrets(t, c, z)
}

func hasRole(trust object, name string) bool {
	roles, _ := trust["roles"].([]any)
	for _, r := range roles {
		if r.(object)["name"] == name {
			return true
		}
	}
	return false
}

// foreignTrusts has clients that name trusts, of their own and of others.
func foreignTrusts(t *testing.T, c *cast, _ *zaqar) {
	z := start(t, c.trusting(t))
	alice, boss := c.of(t, "alice", "demo-a"), c.of(t, "boss", "demo-a")
	give := func(token, trustor, trustee, project string) string {
		out, _ := c.call(t, token, "POST", "/OS-TRUST/trusts", object{"trust": object{
			"trustor_user_id": c.users[trustor], "trustee_user_id": c.users[trustee], "project_id": c.projects[project],
			"impersonation": true, "roles": []object{{"name": "member"}},
		}}, http.StatusCreated)
		return out["trust"].(object)["id"].(string)
	}
	hook := newHook(t)
	naming := func(id string) object {
		return object{"subscriber": "trust+" + hook.URL, "options": object{"trust_id": id}}
	}
	mine := give(alice, "alice", "trustee", "demo-a")
	elsewhere := give(c.of(t, "bob", "demo-b"), "bob", "trustee", "demo-b")
	toHeat := give(alice, "alice", "heat", "demo-a")
	for name, id := range map[string]string{"of another user": elsewhere, "to another trustee": toHeat, "of nobody": "0123456789abcdef0123456789abcdef", "no id": "../users"} {
		if a := z.do(t, alice, "POST", "/v2/queues/named/subscriptions", naming(id)); a.Status != 400 {
			t.Errorf("a trust %s: status %d: %s", name, a.Status, a.Body)
		}
	}
	if a := z.do(t, boss, "POST", "/v2/queues/named/subscriptions", naming(mine)); a.Status != 400 {
		t.Errorf("a trust of another user of the project: status %d: %s", a.Status, a.Body)
	}
	sub := z.subscribe(t, alice, "named", naming(mine))
	if len(sub.Options) != 1 || sub.Options["trust_id"] != mine {
		t.Errorf("options %v", sub.Options)
	}
	z.do(t, alice, "POST", "/v2/queues/named/messages", object{"messages": []object{{"body": 1}}}).Want(201)
	token := hook.token(t)
	out, _ := c.call(t, c.admin, "GET", "/auth/tokens", nil, http.StatusOK, "X-Subject-Token: "+token)
	if said := out["token"].(object); said["user"].(object)["id"] != c.users["alice"] || said["project"].(object)["id"] != c.projects["demo-a"] {
		t.Errorf("delivered as %v", said["user"])
	}
	// Whoever redirects it acts in his own name from then on, or not at all.
	item := "/v2/queues/named/subscriptions/" + sub.ID
	if a := z.do(t, boss, "PATCH", item, object{"subscriber": "trust+" + hook.URL + "/boss"}); a.Status != 400 {
		t.Errorf("redirected under a trust of another user: status %d: %s", a.Status, a.Body)
	}
	z.do(t, boss, "PATCH", item, object{"subscriber": "trust+" + hook.URL + "/boss", "options": object{}}).Want(204)
	now, _ := z.subscription(t, boss, "named", sub.ID).Options["trust_id"].(string)
	if trust := c.trust(t, now); trust == nil || trust["trustor_user_id"] != c.users["boss"] {
		t.Errorf("redirected under %v", trust)
	}
	z.do(t, alice, "DELETE", item, nil).Want(204)
	testwait.Until(t, "the trust that was made is removed", func() bool { return c.trust(t, now) == nil })
	if c.trust(t, mine) == nil {
		t.Error("a client's own trust was removed")
	}

	// Where there is no trust to be had, nothing is stored.
	limited := c.bearer(t, "alice", "demo-a", nil)
	if a := z.do(t, limited, "POST", "/v2/queues/none/subscriptions", object{"subscriber": "trust+" + hook.URL}); a.Status != 503 {
		t.Errorf("with a restricted credential: status %d: %s", a.Status, a.Body)
	}
	alone := start(t, c.config(""))
	if a := alone.do(t, alice, "POST", "/v2/queues/none/subscriptions", object{"subscriber": "trust+https://example.org"}); a.Status != 503 {
		t.Errorf("without a trustee: status %d: %s", a.Status, a.Body)
	}
	for _, s := range []*zaqar{z, alone} {
		var list struct{ Subscriptions []any }
		if s.do(t, alice, "GET", "/v2/queues/none/subscriptions", nil).Want(200).JSON(&list); len(list.Subscriptions) != 0 {
			t.Errorf("stored was %v", list.Subscriptions)
		}
	}
	noSecrets(t, c, z)
}

// hook keeps the tokens that it is shown.
type hook struct {
	*httptest.Server
	tokens chan string
}

func newHook(t *testing.T) *hook {
	h := &hook{tokens: make(chan string, 10)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var doc object
		if err := json.NewDecoder(r.Body).Decode(&doc); err != nil {
			t.Error(err)
		}
		h.tokens <- r.Header.Get("X-Auth-Token")
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) token(t *testing.T) string {
	t.Helper()
	select {
	case token := <-h.tokens:
		return token
	case <-time.After(patience):
		t.Fatal("nothing was delivered")
		return ""
	}
}

// catalogued has a confirmation say where clients reach the server, as the
// catalogue has it. Without, it says nothing of that, and can be used, too.
func catalogued(t *testing.T, c *cast, _ *zaqar) {
	ask := func(queue string) (path string, doc object) {
		z := start(t, c.config("[signed_url]\nsecret_key = password-of-signatures\n[notification]\nrequire_confirmation = True\nallowed_targets = 127.0.0.1\n"))
		asked := make(chan object, 10)
		hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			var doc object
			_ = json.NewDecoder(r.Body).Decode(&doc)
			asked <- doc
		}))
		t.Cleanup(hook.Close)
		sub := z.subscribe(t, c.of(t, "alice", "demo-a"), queue, object{"subscriber": hook.URL})
		path = "/v2/queues/" + queue + "/subscriptions/" + sub.ID + "/confirm"
		select {
		case doc = <-asked:
		case <-time.After(patience):
			t.Fatal("nobody is asked")
		}
		// Its headers are enough, without a token.
		headers := []string{}
		for _, name := range []string{"URL-Methods", "URL-Paths", "URL-Expires", "URL-Signature", "X-Project-ID"} {
			headers = append(headers, name+": "+doc[name].(string))
		}
		z.client.Do(t, "PUT", path, doc["SubscribeBody"], headers...).Want(204)
		z.client.Do(t, "PUT", path, doc["SubscribeBody"]).Want(401)
		return path, doc
	}
	if _, doc := ask("uncharted"); doc["WSGISubscribeURL"] != nil || doc["WebSocketSubscribeURL"] != nil {
		t.Errorf("without an entry in the catalogue: %v", doc)
	}
	for name, at := range map[string]string{"zaqar": "https://cloud.example/messaging", "zaqar-websocket": "wss://cloud.example:9000"} {
		id := c.make(t, "service", "/services", object{"name": name, "type": "test-" + name})
		c.make(t, "endpoint", "/endpoints", object{"service_id": id, "interface": "public", "url": at})
	}
	if path, doc := ask("charted"); doc["WSGISubscribeURL"] != "https://cloud.example/messaging"+path || doc["WebSocketSubscribeURL"] != "wss://cloud.example:9000"+path {
		t.Errorf("%v", doc)
	}
}
