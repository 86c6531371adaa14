package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

const asking = `[signed_url]
secret_key = a-secret-key-for-signatures
[notification]
require_confirmation = True
public_url = https://cloud.example/messaging
allowed_targets = 127.0.0.1
smtp_command = %s -t -oi
`

// confirm sends what a document signs, as a receiver does that knows nothing
// else, after changes to the headers.
func confirm(t *testing.T, d *daemon.Daemon, doc map[string]any, body string, changes ...string) int {
	t.Helper()
	method, path := doc["URL-Methods"].(string), doc["URL-Paths"].(string)
	r, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"URL-Methods", "URL-Paths", "URL-Expires", "URL-Signature", "X-Project-ID"} {
		r.Header.Set(name, doc[name].(string))
	}
	r.Header.Set("Client-ID", "3381af92-2b9e-11e3-b191-71861300734c")
	for _, c := range changes {
		name, value, _ := strings.Cut(c, ": ")
		switch name {
		case "method":
			r.Method = value
		case "path":
			r.URL.Path = value
		default:
			r.Header.Set(name, value)
		}
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// TestConfirmation is the whole flow of a webhook (notifications §11).
func TestConfirmation(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: fmt.Sprintf(asking, "/bin/false")})
	c := d.Client()
	hook, witness := receive(t), receive(t)
	subscribe := func(r *receiver) string {
		var made struct{ Subscription_ID string }
		c.Do(t, "POST", "/v2/queues/q/subscriptions", map[string]any{"subscriber": r.URL}).Want(201).JSON(&made)
		return made.Subscription_ID
	}
	path := "/v2/queues/q/subscriptions/" + subscribe(hook) + "/confirm"
	c.Do(t, "PUT", "/v2/queues/q/subscriptions/"+subscribe(witness)+"/confirm", map[string]any{"confirmed": true}).Want(204)

	doc := hook.await(t, "SubscriptionConfirmation", 1)
	keys := []string{"Message", "Message_Type", "SubscribeBody", "URL-Expires", "URL-Methods", "URL-Paths", "URL-Signature", "UnsubscribeBody", "WSGISubscribeURL", "X-Project-ID", "queue_name"}
	if got := slices.Sorted(maps.Keys(doc)); !slices.Equal(got, keys) || doc["URL-Paths"] != path || doc["queue_name"] != "q" || doc["WSGISubscribeURL"] != "https://cloud.example/messaging"+path {
		t.Errorf("%v", doc)
	}
	c.Post(t, "q", "unasked")
	witness.await(t, "Notification", 1)

	yes, no := `{"confirmed": true}`, `{"confirmed": false}`
	for _, change := range []string{
		"URL-Signature: " + strings.Repeat("0", 64), "URL-Expires: 2100-01-01T00:00:00", "X-Project-ID: other", "method: DELETE", "URL-Methods: PUT,DELETE",
		"path: " + strings.Replace(path, "/q/", "/other/", 1), "path: " + strings.TrimSuffix(path, "/confirm"), "URL-Paths: /v2/queues/q",
	} {
		if status := confirm(t, d, doc, yes, change); status != 404 {
			t.Errorf("%s: status %d", change, status)
		}
	}
	if status := confirm(t, d, doc, yes, "EXTRA-SPEC: messagecode:1"); status != 204 {
		t.Fatalf("status %d", status)
	}
	c.Post(t, "q", "asked")
	n := hook.await(t, "Notification", 1)
	if got := slices.Sorted(maps.Keys(n)); !slices.Equal(got, []string{"Message_Type", "body", "queue_name", "ttl"}) || !slices.Equal(hook.bodies(), []string{"asked"}) {
		t.Errorf("%v", n)
	}

	if status := confirm(t, d, doc, no); status != 204 {
		t.Fatalf("status %d", status)
	}
	bye := hook.await(t, "UnsubscribeConfirmation", 1)
	c.Post(t, "q", "gone")
	witness.await(t, "Notification", 3)
	if status := confirm(t, d, bye, yes); status != 204 {
		t.Fatalf("status %d", status)
	}
	c.Post(t, "q", "back")
	hook.await(t, "Notification", 2)
	if got := hook.bodies(); !slices.Equal(got, []string{"asked", "back"}) {
		t.Errorf("notified of %q", got)
	}
	for _, secret := range []string{doc["URL-Signature"].(string), bye["URL-Signature"].(string)} {
		if d.Logged(secret) {
			t.Error("the log holds a signature")
		}
	}
	d.Stop(t)
}

// TestConfirmationAfterMoves has somebody confirm with an address of his own and
// then name that of somebody else, by webhook and over a restart.
func TestConfirmationAfterMoves(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	start := func() *daemon.Daemon {
		return daemon.Start(t, daemon.Options{Dir: dir, Config: fmt.Sprintf(asking, "/bin/false") + "[oslo_policy]\npolicy_file = " + onlyTheAsked(t) + "\n"})
	}
	d := start()
	c := d.Client()
	own, victim, witness := receive(t), receive(t), receive(t)
	var made struct{ Subscription_ID string }
	c.Do(t, "POST", "/v2/queues/q/subscriptions", map[string]any{"subscriber": own.URL}).Want(201).JSON(&made)
	at := "/v2/queues/q/subscriptions/" + made.Subscription_ID
	c.Do(t, "PUT", at+"/confirm", map[string]any{"confirmed": true}, "X-User-Id: owner").Want(403)
	mine := own.await(t, "SubscriptionConfirmation", 1)
	const yes = `{"confirmed": true}`
	if status := confirm(t, d, mine, yes); status != 204 {
		t.Fatalf("status %d", status)
	}
	c.Do(t, "PATCH", at, map[string]any{"subscriber": victim.URL}).Want(204)
	theirs := victim.await(t, "SubscriptionConfirmation", 1)
	path := theirs["URL-Paths"].(string)
	refuse := func() {
		t.Helper()
		for name, changes := range map[string][]string{"as it is": nil, "on the other's path": {"path: " + path}, "naming the other's path": {"path: " + path, "URL-Paths: " + path}} {
			if status := confirm(t, d, mine, yes, changes...); status != 404 {
				t.Errorf("%s: status %d", name, status)
			}
		}
	}
	refuse()
	d.Stop(t)
	d = start()
	c.URL = d.URL
	refuse()
	c.Do(t, "POST", "/v2/queues/q/subscriptions", map[string]any{"subscriber": witness.URL}).Want(201)
	if status := confirm(t, d, witness.await(t, "SubscriptionConfirmation", 1), yes); status != 204 {
		t.Fatalf("status %d", status)
	}
	c.Post(t, "q", "unasked")
	witness.await(t, "Notification", 1)
	if status := confirm(t, d, theirs, yes); status != 204 {
		t.Fatalf("status %d", status)
	}
	refuse()
	c.Post(t, "q", "asked")
	victim.await(t, "Notification", 1)
	if got := victim.bodies(); !slices.Equal(got, []string{"asked"}) || len(own.got("Notification")) > 0 {
		t.Errorf("notified of %q, and the first one of %q", got, own.bodies())
	}
	d.Stop(t)
}

// onlyTheAsked is a policy by which nobody confirms but who was asked.
func onlyTheAsked(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte("\"subscription:confirm\": \"user_id:None\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// mailbox is a command that keeps mails, one to a file.
func mailbox(t *testing.T) (command string, mails func() []string) {
	t.Helper()
	dir := t.TempDir()
	command = filepath.Join(t.TempDir(), "sendmail")
	script := fmt.Sprintf("#!/bin/sh\nset -e\n[ \"$*\" = '-t -oi' ]\nf=$(mktemp %s/.new.XXXXXX)\ncat >\"$f\"\nmv \"$f\" \"%s/mail.$$\"\n", dir, dir)
	if err := os.WriteFile(command, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return command, func() (texts []string) {
		files, _ := filepath.Glob(filepath.Join(dir, "mail.*"))
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
		return texts
	}
}

// TestConfirmationByMail follows the link of a mail to the server's own page,
// presses its buttons, and waits for what the subscription brings.
func TestConfirmationByMail(t *testing.T) {
	t.Parallel()
	command, mails := mailbox(t)
	d := daemon.Start(t, daemon.Options{Config: fmt.Sprintf(asking, command)})
	c := d.Client()
	// with waits for a mail whose subject is this, and returns its body.
	with := func(subject string) string {
		t.Helper()
		body := ""
		testwait.Until(t, "a mail: "+subject, func() bool {
			for _, text := range mails() {
				m, err := mail.ReadMessage(strings.NewReader(text))
				if err != nil || m.Header.Get("To") != "ops@example.org" {
					t.Fatalf("%v:\n%s", err, text)
				}
				if m.Header.Get("Subject") == subject {
					b, _ := io.ReadAll(m.Body)
					body = string(b)
					return true
				}
			}
			return false
		})
		return body
	}
	var made struct{ Subscription_ID string }
	c.Do(t, "POST", "/v2/topics/t/subscriptions", map[string]any{
		"subscriber": "mailto:ops@example.org", "options": map[string]any{"subject": "new work", "from": "Bus <bus@example.org>"},
	}).Want(201).JSON(&made)
	confirmed := func() bool {
		var sub struct{ Confirmed bool }
		c.Do(t, "GET", "/v2/topics/t/subscriptions/"+made.Subscription_ID, nil).Want(200).JSON(&sub)
		return sub.Confirmed
	}

	body := with("Zaqar Notification - Subscription Confirmation")
	link := body[strings.LastIndex(body, "below: ")+len("below: "):]
	query, found := strings.CutPrefix(link, "https://cloud.example/messaging/v2/confirm?")
	if !found || !strings.Contains(query, "&Paths=/v2/topics/t/subscriptions/"+made.Subscription_ID+"/confirm&Project="+c.Project+"&Expires=") {
		t.Fatalf("the link is %s", link)
	}
	page := d.URL + "/v2/confirm?" + query
	press := func(value string) string {
		t.Helper()
		res, err := http.PostForm(page, url.Values{"confirmed": {value}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		if res.StatusCode != 200 {
			t.Fatalf("status %d:\n%s", res.StatusCode, text)
		}
		return string(text)
	}
	if a := c.Do(t, "GET", "/v2/confirm?"+query, nil).Want(200); !strings.Contains(string(a.Body), "topic") || confirmed() {
		t.Errorf("confirmed %v\n%s", confirmed(), a.Body)
	}
	if text := press("true"); !strings.Contains(text, "Confirmed") || !confirmed() {
		t.Errorf("confirmed %v\n%s", confirmed(), text)
	}
	c.Do(t, "POST", "/v2/topics/t/messages", map[string]any{"messages": []any{map[string]any{"body": "hello", "ttl": 300}}}).Want(201)
	var doc map[string]any
	if err := json.Unmarshal([]byte(with("new work")), &doc); err != nil || doc["body"] != "hello" || doc["queue_name"] != "t" || doc["Message_Type"] != "Notification" {
		t.Errorf("%v, %v", doc, err)
	}
	if text := press("false"); !strings.Contains(text, "Unsubscribed") || confirmed() {
		t.Errorf("confirmed %v\n%s", confirmed(), text)
	}
	with("Zaqar Notification - Unsubscribe Confirmation")
	if signature, _, _ := strings.Cut(strings.TrimPrefix(query, "Signature="), "&"); d.Logged(signature) {
		t.Error("the log holds the signature of the link")
	}
	d.Stop(t)
}

// TestConfirmationByMailIsForOneAddress has somebody put a stranger's address
// beside his own, with which he could confirm for both.
func TestConfirmationByMailIsForOneAddress(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: fmt.Sprintf(asking, "/bin/false")})
	c := d.Client()
	const both = "mailto:own@example.org,victim@example.org"
	c.Do(t, "POST", "/v2/topics/t/subscriptions", map[string]any{"subscriber": both}).Want(400)
	var made struct{ Subscription_ID string }
	c.Do(t, "POST", "/v2/topics/t/subscriptions", map[string]any{"subscriber": "mailto:own@example.org"}).Want(201).JSON(&made)
	c.Do(t, "PATCH", "/v2/topics/t/subscriptions/"+made.Subscription_ID, map[string]any{"subscriber": both}).Want(400)
	d.Stop(t)
}

// TestConfirmationByMailAfterMoves is TestConfirmationAfterMoves by mail.
func TestConfirmationByMailAfterMoves(t *testing.T) {
	t.Parallel()
	command, mails := mailbox(t)
	d := daemon.Start(t, daemon.Options{Config: fmt.Sprintf(asking, command)})
	c := d.Client()
	// link waits for the mail to somebody, and returns where it leads.
	link := func(to string) (at string) {
		t.Helper()
		testwait.Until(t, "a mail to "+to, func() bool {
			for _, text := range mails() {
				m, err := mail.ReadMessage(strings.NewReader(text))
				if err != nil {
					t.Fatalf("%v:\n%s", err, text)
				}
				if _, query, found := strings.Cut(text, "/v2/confirm?"); found && m.Header.Get("To") == to {
					at = d.URL + "/v2/confirm?" + strings.TrimSpace(query)
				}
			}
			return at != ""
		})
		return at
	}
	press := func(at, value string) int {
		t.Helper()
		res, err := http.PostForm(at, url.Values{"confirmed": {value}})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	var made struct{ Subscription_ID string }
	c.Do(t, "POST", "/v2/topics/t/subscriptions", map[string]any{"subscriber": "mailto:own@example.org"}).Want(201).JSON(&made)
	at := "/v2/topics/t/subscriptions/" + made.Subscription_ID
	own := link("own@example.org")
	if status := press(own, "true"); status != 200 {
		t.Fatalf("status %d", status)
	}
	c.Do(t, "PATCH", at, map[string]any{"subscriber": "mailto:victim@example.org"}).Want(204)
	victim := link("victim@example.org")
	is := func(want bool) {
		t.Helper()
		var sub struct{ Confirmed bool }
		if c.Do(t, "GET", at, nil).Want(200).JSON(&sub); sub.Confirmed != want {
			t.Errorf("confirmed is %v", sub.Confirmed)
		}
	}
	for _, value := range []string{"true", "false"} {
		if status := press(own, value); status != 404 {
			t.Errorf("%s: status %d", value, status)
		}
	}
	is(false)
	if status := press(victim, "true"); status != 200 {
		t.Errorf("status %d", status)
	}
	is(true)
	if status := press(own, "false"); status != 404 {
		t.Errorf("status %d", status)
	}
	is(true)
	d.Stop(t)
}
