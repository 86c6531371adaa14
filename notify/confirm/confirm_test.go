package confirm_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify/confirm"
)

var expires = time.Date(2100, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600))

func subscription() *messaging.Subscription {
	return &messaging.Subscription{
		ID: "57692ab13990b48c644bb7e6", Source: messaging.QueueRef{Project: "p1", Name: "q1"},
	}
}

// config signs by telling what it was asked to sign.
func config() confirm.Config {
	return confirm.Config{
		Sign: func(p messaging.Project, method, path string, expires time.Time) (string, error) {
			return strings.Join([]string{"signed", string(p), method, path, expires.UTC().Format(time.RFC3339)}, " "), nil
		},
		Public: func(context.Context) (string, string) {
			return "https://cloud.example/messaging/", "wss://cloud.example:9000"
		},
	}
}

func render(t *testing.T, d *confirm.Documents, sub *messaging.Subscription, kind delivery.Kind) []byte {
	t.Helper()
	text, err := d.Render(t.Context(), sub, kind, expires)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func members(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRender(t *testing.T) {
	got := members(t, render(t, confirm.New(config()), subscription(), delivery.SubscriptionConfirmation))
	if s, _ := got["Message"].(string); !strings.Contains(s, "q1") {
		t.Errorf("the sentence %q does not name the queue", s)
	}
	delete(got, "Message")
	const path = "/v2/queues/q1/subscriptions/57692ab13990b48c644bb7e6/confirm"
	want := map[string]any{
		"Message_Type":  "SubscriptionConfirmation",
		"URL-Signature": "signed p1 PUT " + path + " 2100-01-01T00:00:00Z",
		"URL-Methods":   "PUT", "URL-Paths": path, "URL-Expires": "2100-01-01T00:00:00", "X-Project-ID": "p1",
		"SubscribeBody": map[string]any{"confirmed": true}, "UnsubscribeBody": map[string]any{"confirmed": false},
		"queue_name":            "q1",
		"WSGISubscribeURL":      "https://cloud.example/messaging" + path,
		"WebSocketSubscribeURL": "wss://cloud.example:9000" + path,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestRenderTopic(t *testing.T) {
	sub := subscription()
	sub.Source.Topic = true
	got := members(t, render(t, confirm.New(config()), sub, delivery.UnsubscribeConfirmation))
	if got["Message_Type"] != "UnsubscribeConfirmation" || got["URL-Paths"] != "/v2/topics/q1/subscriptions/57692ab13990b48c644bb7e6/confirm" {
		t.Errorf("%v", got)
	}
}

// Another subscriber than the first is asked to confirm something else, which
// is not below what that one was asked.
func TestRenderAfterMoves(t *testing.T) {
	sub := subscription()
	first := members(t, render(t, confirm.New(config()), sub, delivery.SubscriptionConfirmation))["URL-Paths"].(string)
	sub.Moves = 12
	got := members(t, render(t, confirm.New(config()), sub, delivery.UnsubscribeConfirmation))
	const path = "/v2/queues/q1/subscriptions/57692ab13990b48c644bb7e6.12/confirm"
	if got["URL-Paths"] != path || got["WSGISubscribeURL"] != "https://cloud.example/messaging"+path || strings.HasPrefix(path, first) {
		t.Errorf("%v", got)
	}
}

// Where clients reach the server may be unknown, and with a path of its own.
func TestRenderURLs(t *testing.T) {
	const path = "/v2/queues/q1/subscriptions/57692ab13990b48c644bb7e6/confirm"
	for base, want := range map[string]any{
		"": nil, "http://h:8888": "http://h:8888" + path, "http://h/messaging": "http://h/messaging" + path,
		"http://h/a/b//": "http://h/a/b" + path, "http://h/v2": "http://h" + path, "http://h/m/v2/": "http://h/m" + path,
	} {
		c := config()
		c.Public = func(context.Context) (string, string) { return base, "" }
		got := members(t, render(t, confirm.New(c), subscription(), delivery.SubscriptionConfirmation))
		if got["WSGISubscribeURL"] != want {
			t.Errorf("below %q: %v, want %v", base, got["WSGISubscribeURL"], want)
		}
		if _, there := got["WebSocketSubscribeURL"]; there {
			t.Errorf("below %q: there is a WebSocketSubscribeURL", base)
		}
	}
	c := config()
	c.Public = nil
	if got := members(t, render(t, confirm.New(c), subscription(), delivery.SubscriptionConfirmation)); got["WSGISubscribeURL"] != nil {
		t.Errorf("%v", got)
	}
}

func TestRenderWithoutKey(t *testing.T) {
	c := config()
	c.Sign = func(messaging.Project, string, string, time.Time) (string, error) { return "", messaging.Unsupported }
	if text, err := confirm.New(c).Render(t.Context(), subscription(), delivery.SubscriptionConfirmation, expires); !errors.Is(err, messaging.Unsupported) || text != nil {
		t.Errorf("%s, %v", text, err)
	}
}

func TestMail(t *testing.T) {
	c := config()
	c.Page = "https://pages.example/confirm"
	d := confirm.New(c)
	for kind, subject := range map[delivery.Kind]string{
		delivery.SubscriptionConfirmation: "Zaqar Notification - Subscription Confirmation",
		delivery.UnsubscribeConfirmation:  "Zaqar Notification - Unsubscribe Confirmation",
	} {
		mail, err := d.Mail(render(t, d, subscription(), kind))
		if err != nil {
			t.Fatal(err)
		}
		const link = "https://pages.example/confirm?Signature=signed%20p1%20PUT%20/v2/queues/q1/subscriptions/57692ab13990b48c644bb7e6/confirm%202100-01-01T00:00:00Z" +
			"&Methods=PUT&Paths=/v2/queues/q1/subscriptions/57692ab13990b48c644bb7e6/confirm&Project=p1&Expires=2100-01-01T00:00:00" +
			"&Url=https://cloud.example/messaging/v2/queues/q1/subscriptions/57692ab13990b48c644bb7e6/confirm&Queue=q1"
		if mail.Topic != subject || mail.Sender != "Zaqar Notifications <no-reply@openstack.org>" {
			t.Errorf("%+v", mail)
		}
		// As scripts for smtp_command find the link.
		if i := strings.LastIndex(mail.Body, "below: "); i < 0 || mail.Body[i+len("below: "):] != link {
			t.Errorf("the body is\n%s\nwant it to end with\n%s", mail.Body, link)
		}
		if !strings.Contains(mail.Body, " q1 ") || !strings.Contains(mail.Body, " p1") {
			t.Errorf("the body names no queue or no project: %s", mail.Body)
		}
	}
}

// The page is the one that is configured, else the server's own.
func TestMailPage(t *testing.T) {
	for _, c := range []struct{ page, public, want string }{
		{"https://p.example", "https://api.example", "https://p.example?Signature="},
		{"https://p.example/?lang=de", "", "https://p.example/?lang=de&Signature="},
		{"", "https://api.example/messaging", "https://api.example/messaging/v2/confirm?Signature="},
		{"", "https://api.example/v2/", "https://api.example/v2/confirm?Signature="},
		{"", "", ""},
	} {
		config := config()
		config.Page = c.page
		config.Public = func(context.Context) (string, string) { return c.public, "" }
		d := confirm.New(config)
		mail, err := d.Mail(render(t, d, subscription(), delivery.SubscriptionConfirmation))
		if c.want == "" {
			if !errors.Is(err, messaging.Unsupported) {
				t.Errorf("a mail without a page: %+v, %v", mail, err)
			}
			sub := subscription()
			sub.Subscriber = "MailTo:ops@example.org"
			if text, err := d.Render(t.Context(), sub, delivery.SubscriptionConfirmation, expires); !errors.Is(err, messaging.Unsupported) {
				t.Errorf("a document for a mail without a page: %s, %v", text, err)
			}
			continue
		}
		if err != nil || !strings.Contains(mail.Body, c.want) {
			t.Errorf("%+v: %v, %s", c, err, mail.Body)
		}
	}
	for _, text := range []string{"", "[]", `"x"`, "{"} {
		if _, err := confirm.New(config()).Mail([]byte(text)); err == nil {
			t.Errorf("%q makes a mail", text)
		}
	}
}

// Links survive being read as a query and being read as they stand, as far as
// the value allows it.
func FuzzLink(f *testing.F) {
	f.Add("p1", "https://h/m")
	f.Add("a&b=c#d+e%20 é\"<>'\n", "https://h/?x=y&z")
	f.Add("below: below: ", "https://h")
	f.Fuzz(func(t *testing.T, project, public string) {
		c := config()
		c.Page = "https://pages.example/confirm"
		c.Public = func(context.Context) (string, string) { return public, "" }
		d := confirm.New(c)
		sub := subscription()
		sub.Source.Project = messaging.Project(strings.ToValidUTF8(project, ""))
		text := render(t, d, sub, delivery.SubscriptionConfirmation)
		mail, err := d.Mail(text)
		if err != nil {
			t.Fatal(err)
		}
		const before = "below: "
		link := mail.Body[strings.LastIndex(mail.Body, before)+len(before):] // the project may hold the words
		if strings.ContainsAny(link, " <>\"\r\n") {
			t.Fatalf("the link ends early: %q", link)
		}
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		doc := members(t, text)
		for name, member := range map[string]string{
			"Signature": "URL-Signature", "Methods": "URL-Methods", "Paths": "URL-Paths", "Project": "X-Project-ID", "Expires": "URL-Expires", "Queue": "queue_name",
		} {
			if got := u.Query().Get(name); got != doc[member] {
				t.Errorf("%s is %q, want %q", name, got, doc[member])
			}
		}
	})
}
