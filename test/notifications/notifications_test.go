package notifications

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/app"
	"zaqar/pipeline"
)

// texts are the members of a document as JSON texts.
func texts(t *testing.T, doc string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for name, value := range document(t, doc) {
		got[name] = string(value)
	}
	return got
}

// Statements 2 to 9: one request for each message and subscriber, a POST with
// the document and nothing else.
func TestDocuments(t *testing.T) {
	s := serve(t)
	a, b := receive(t), receive(t)
	s.subscribe("queues/q", a.url, "")
	s.subscribe("queues/q", b.url, "")
	bodies := []string{`null`, `12.50`, `"é\u00e9"`, `[1,  2]`, `{"a" : {}}`}
	s.post("queues/q", bodies...)
	for _, r := range []*receiver{a, b} {
		for _, body := range bodies {
			q := r.next()
			if q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/json" || q.ContentLength != int64(len(q.body)) {
				t.Errorf("%s, %v, %d bytes of %d", q.Method, q.Header, q.ContentLength, len(q.body))
			}
			for name, values := range q.Header {
				if strings.Contains(strings.Join(values, " "), "Notification") {
					t.Errorf("the header %s tells the type: %v", name, values)
				}
			}
			want := map[string]string{"ttl": "300", "body": body, "queue_name": `"q"`, "Message_Type": `"Notification"`}
			if d := cmp.Diff(want, texts(t, q.body)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		}
		r.wantNothing()
	}

	// The queue's own lifetime and delay, and no other delay.
	s.must("PUT", "/queues/slow", `{"_default_message_delay": 600, "_default_message_ttl": 1234}`)
	c := receive(t)
	s.subscribe("queues/slow", c.url, "")
	s.must("POST", "/queues/slow/messages", `{"messages": [{"body": 1}]}`)
	want := map[string]string{"ttl": "1234", "body": "1", "delay": "600", "queue_name": `"slow"`, "Message_Type": `"Notification"`}
	if d := cmp.Diff(want, texts(t, c.next().body)); d != "" {
		t.Errorf("of a queue with delay (-want +got):\n%s", d)
	}
}

// Statement 1 in our words: without the stage nothing is sent.
func TestNothingIsSentWithoutTheStage(t *testing.T) {
	s := serve(t, func(o *app.Options) { o.Pipelines = pipeline.Config{} })
	r := receive(t)
	s.subscribe("queues/q", r.url, "")
	s.post("queues/q", "1")
	s.must("GET", "/queues/q/messages?echo=true", "")
	r.wantNothing()
}

// Statement 10: who posts does not wait for receivers.
func TestPostsDoNotWait(t *testing.T) {
	s := serve(t)
	r := stuck(t)
	s.subscribe("queues/q", r.url, "")
	s.post("queues/q", "1")
	r.wantBodies("1") // and it has no answer yet
	s.post("queues/q", "2")
	r.release()
	r.wantBodies("2")
}

// Statement 11 and 14: every subscriber gets it, also the one who posts.
func TestManySubscribers(t *testing.T) {
	s := serve(t)
	r := receive(t)
	const all = 23
	for i := range all {
		s.subscribe("queues/q", r.url+"/"+strconv.Itoa(i), "")
	}
	s.post("queues/q", "1")
	got := map[string]bool{}
	for range all {
		got[r.next().URL.Path] = true
	}
	if len(got) != all {
		t.Errorf("only %d of %d got it", len(got), all)
	}
}

// Statements 12 and 47: the messages of a post come in its order, and one that
// fails holds up no other.
func TestOrderOfAPost(t *testing.T) {
	s := serve(t)
	r, picky := receive(t), receive(t, http.StatusNotFound)
	s.subscribe("queues/q", r.url, "")
	s.subscribe("queues/q", picky.url, "")
	var bodies []string
	for i := range 20 {
		bodies = append(bodies, strconv.Itoa(i))
	}
	s.post("queues/q", bodies...)
	r.wantBodies(bodies...)
	picky.wantBodies(bodies...)
	picky.wantNothing()
}

// Statement 16: dead letters tell nobody, and encrypted queues tell the plain
// body.
func TestDeadLettersAndEncryptedQueues(t *testing.T) {
	s := serve(t)
	r := receive(t)
	s.must("PUT", "/queues/dead", "")
	s.must("PUT", "/queues/q", `{"_dead_letter_queue": "dead", "_max_claim_count": 1}`)
	s.subscribe("queues/dead", r.url, "")
	s.post("queues/q", `"spent"`)
	claimed := s.must("POST", "/queues/q/claims", `{"ttl": 60, "grace": 60}`)
	_, id, _ := strings.Cut(claimed, "claim_id=")
	id, _, _ = strings.Cut(id, `"`)
	s.must("DELETE", "/queues/q/claims/"+id, "")
	s.must("POST", "/queues/q/claims", `{"ttl": 60, "grace": 60}`)
	if stats := s.must("GET", "/queues/dead/stats", ""); !strings.Contains(stats, `"total":1`) && !strings.Contains(stats, `"total": 1`) {
		t.Fatalf("it was not moved: %s", stats)
	}
	s.post("queues/dead", `"posted"`)
	r.wantBodies(`"posted"`)

	secret := receive(t)
	s.must("PUT", "/queues/sealed", `{"_enable_encrypt_messages": true}`)
	s.subscribe("queues/sealed", secret.url, "")
	s.post("queues/sealed", `{"plain": true}`)
	secret.wantBodies(`{"plain": true}`)
}

// Statements 17 and 18: who unsubscribed gets nothing, and subscriptions outlive
// their queue.
func TestUnsubscribingAndDeletingTheQueue(t *testing.T) {
	s := serve(t)
	stays, leaves := receive(t), receive(t)
	s.subscribe("queues/q", stays.url, "")
	id := s.subscribe("queues/q", leaves.url, "")
	s.must("DELETE", "/queues/q/subscriptions/"+id, "")
	s.post("queues/q", "1")
	stays.wantBodies("1")
	s.must("DELETE", "/queues/q", "")
	s.post("queues/q", "2")
	stays.wantBodies("2")
	leaves.wantNothing()
}

// Statements 19 to 21, 23 to 26: what options make of a request.
func TestOptions(t *testing.T) {
	s := serve(t)
	for i, tt := range []struct{ options, want string }{
		{`{"post_data": "{\"a\": \"$zaqar_message$\", \"b\": \"$zaqar_message$\"}"}`, `{"a": DOC, "b": DOC}`},
		{`{"post_data": "$zaqar_message$"}`, `$zaqar_message$`},
		{`{"post_data": ""}`, ``},
	} {
		r := receive(t)
		to := fmt.Sprintf("queues/q%d", i)
		s.subscribe(to, r.url, tt.options)
		s.post(to, "1")
		doc := fmt.Sprintf(`{"ttl":300,"body":1,"queue_name":"q%d","Message_Type":"Notification"}`, i)
		if got := r.next(); got.body != strings.ReplaceAll(tt.want, "DOC", doc) || got.ContentLength != int64(len(got.body)) {
			t.Errorf("%s: %q came", tt.options, got.body)
		}
	}
	r := receive(t)
	subscriber := strings.Replace(r.url, "http://", "http://user:pass@", 1) + "?a=b&c=%20d#fragment"
	s.subscribe("queues/h", subscriber, `{"post_headers": {"content-TYPE": "text/x", "X-Extra": "1", "X-Number": 2, "X-Auth-Token": "no", "Host": "no.example", "Connection": "X-Extra"}}`)
	s.post("queues/h", "1")
	q := r.next()
	user, password, _ := q.BasicAuth()
	got := []string{q.Header.Get("Content-Type"), q.Header.Get("X-Extra"), q.Header.Get("X-Number"), q.Header.Get("X-Auth-Token"), user, password, q.RequestURI}
	if d := cmp.Diff([]string{"text/x", "1", "2", "", "user", "pass", "/in?a=b&c=%20d"}, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if "http://"+q.Host+"/in" != r.url {
		t.Errorf("the host is %s", q.Host)
	}
}

// Statements 30, 31, 35 and 36: which answers end it.
func TestAnswers(t *testing.T) {
	s := serve(t)
	for i, tt := range []struct {
		answers []int
		want    int
	}{
		{[]int{404, 200}, 1},
		{[]int{500, 200}, 2},
		{[]int{500, 503, 404, 200}, 4},
	} {
		r := receive(t, tt.answers...)
		to := fmt.Sprintf("queues/q%d", i)
		s.subscribe(to, r.url, `{"_retry_policy": {"retries_with_no_delay": 3}}`)
		s.post(to, "1")
		for range tt.want {
			r.wantBodies("1")
		}
		s.post(to, "2") // no attempt at the first comes before it
		r.wantBodies("2")
	}
}

// Statements 13 and 48: dead receivers hold up nobody.
func TestDeadReceivers(t *testing.T) {
	s := serve(t)
	for range 10 {
		s.subscribe("queues/q", stuck(t).url, "")
	}
	r := receive(t)
	s.subscribe("queues/q", r.url, "")
	for i := range 10 {
		s.post("queues/q", strconv.Itoa(i))
	}
	r.wantBodies("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
}

// Statement 119: a topic and a queue of the same name are told apart.
func TestTopics(t *testing.T) {
	s := serve(t)
	ofTopic, ofQueue := receive(t), receive(t)
	s.subscribe("topics/q", ofTopic.url, "")
	s.subscribe("queues/q", ofQueue.url, "")
	s.post("topics/q", `"topic"`)
	s.post("queues/q", `"queue"`)
	ofTopic.wantBodies(`"topic"`)
	ofQueue.wantBodies(`"queue"`)
	s.post("topics/q", `"again"`)
	ofTopic.wantBodies(`"again"`)
	ofQueue.wantNothing()
}

// Subscribers get what passes their filters.
func TestFilters(t *testing.T) {
	s := serve(t)
	some, ofAttributes := receive(t), receive(t)
	s.subscribe("topics/t", some.url, `{"filter_policy": {"store": ["north"], "price": [{"numeric": ["<", 100]}]}}`)
	s.subscribe("topics/t", ofAttributes.url, `{"filter_policy": {"store": ["north"]}, "filter_policy_scope": "MessageAttributes"}`)
	attributed := `{"MessageAttributes": {"store": {"Type": "String", "Value": "north"}}}`
	s.post("topics/t", `{"store": "south", "price": 1}`, `{"store": "north", "price": 99.99}`, `"north"`, attributed, `{"store": "north", "price": 100}`)
	some.wantBodies(`{"store": "north", "price": 99.99}`)
	ofAttributes.wantBodies(attributed)
	s.post("topics/t", `{"store": "north", "price": 0}`)
	some.wantBodies(`{"store": "north", "price": 0}`)
	ofAttributes.wantNothing()

	if status, text := s.do("POST", "/topics/t/subscriptions", `{"subscriber": "http://192.0.2.1/", "options": {"filter_policy": {"a": [{"prefix": 1}]}}}`); status != http.StatusBadRequest || !strings.Contains(text, "options.filter_policy.a[0].prefix") {
		t.Errorf("a policy that cannot be: %d %s", status, text)
	}
}

// Statement 91: where nobody has to confirm, nobody is asked.
func TestWithoutConfirmation(t *testing.T) {
	s := serve(t, signing)
	r := receive(t)
	s.subscribe("queues/q", r.url, "")
	s.post("queues/q", "1")
	r.wantBodies("1")
}

// signing gives a server the key of its signatures.
func signing(o *app.Options) { o.SignedURL.Key = "a key of this test" }

func confirming(o *app.Options) { o.Broker.RequireConfirmation = true }

// Statements 92 to 94, 100 and 101: who has not confirmed gets nothing but the
// question, for which the options and retries hold as well.
func TestConfirmation(t *testing.T) {
	s := serve(t, signing, confirming)
	confirmed := receive(t)
	id := s.subscribe("queues/q", confirmed.url, "")
	confirmed.next()
	s.must("PUT", "/queues/q/subscriptions/"+id+"/confirm", `{"confirmed": true}`)
	r := receive(t, http.StatusInternalServerError)
	s.subscribe("queues/q", r.url, `{"post_headers": {"X-Extra": "1"}, "post_data": "[\"$zaqar_message$\"]"}`)
	asked := r.next()
	if again := r.next(); again.body != asked.body || again.Header.Get("X-Extra") != "1" {
		t.Errorf("the second attempt brings %q with %v", again.body, again.Header)
	}
	question := document(t, strings.TrimSuffix(strings.TrimPrefix(asked.body, "["), "]"))
	text := func(name string) string { return strings.Trim(string(question[name]), `"`) }
	if text("Message_Type") != "SubscriptionConfirmation" || text("queue_name") != "q" {
		t.Errorf("asked with %s", asked.body)
	}
	s.post("queues/q", `"before"`)
	confirmed.wantBodies(`"before"`)
	confirm, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url+text("URL-Paths"), strings.NewReader(string(question["SubscribeBody"])))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"URL-Methods", "URL-Paths", "URL-Expires", "URL-Signature", "X-Project-ID"} {
		confirm.Header.Set(name, text(name))
	}
	confirm.Header.Set("Client-ID", "3381af92-2b9e-11e3-b191-71861300734c")
	answer, err := http.DefaultClient.Do(confirm)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Fatalf("to confirm: %s", answer.Status)
	}
	s.post("queues/q", `"after"`)
	if got := r.next(); !strings.Contains(got.body, `"after"`) {
		t.Errorf("after the confirmation came %s", got.body)
	}
}

// Statement 99: without a key to sign with, nobody is asked.
func TestConfirmationWithoutKey(t *testing.T) {
	s := serve(t, confirming)
	r := receive(t)
	s.subscribe("queues/q", r.url, "")
	s.post("queues/q", "1")
	r.wantNothing()
}
