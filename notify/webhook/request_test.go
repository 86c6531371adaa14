package webhook_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"zaqar/internal/dnstest"
	"zaqar/internal/egress"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/notifytest"
	"zaqar/notify/webhook"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const document = `{"ttl":300,"body":{"event":"größer"},"queue_name":"q1","Message_Type":"Notification"}`

// sender is one that may reach this machine.
func sender(t testing.TB, change func(*webhook.Config)) *webhook.Sender {
	t.Helper()
	c := webhook.Defaults()
	c.Allow, c.Now, c.UserAgent = local(t), func() time.Time { return noon }, "zaqar/1"
	if change != nil {
		change(&c)
	}
	s := webhook.New(c)
	t.Cleanup(s.Close)
	return s
}

// deliver is the delivery of the document under options as clients write them.
func deliver(t testing.TB, to, options string) *notify.Delivery {
	t.Helper()
	o, err := delivery.ParseOptions([]byte(options))
	if err != nil {
		t.Fatal(err)
	}
	return &notify.Delivery{
		Subscription: &messaging.Subscription{ID: "s1", Subscriber: to}, Options: o, Kind: delivery.Notification,
		Message: "m1", Document: []byte(document), Posted: noon, Attempt: 1,
	}
}

// received sends a delivery and returns what came.
func received(t testing.TB, s *webhook.Sender, r *notifytest.Receiver, d *notify.Delivery) notifytest.Request {
	t.Helper()
	if receipt, err := s.Send(t.Context(), d); err != nil || receipt.Status != 200 {
		t.Fatalf("%v, %v", receipt, err)
	}
	all := r.Requests()
	return all[len(all)-1]
}

func TestPlainRequest(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	got := received(t, sender(t, nil), r, deliver(t, r.URL, `{}`))
	want := notifytest.Request{
		Method: "POST", Target: "/hook", Host: strings.TrimSuffix(strings.TrimPrefix(r.URL, "http://"), "/hook"),
		ContentLength: int64(len(document)), Body: []byte(document),
		Header: http.Header{
			"Content-Type": {"application/json"}, "Accept": {"*/*"}, "User-Agent": {"zaqar/1"},
			"Webhook-Id": {"m1"}, "Webhook-Timestamp": {"1772366400"},
			"Content-Length": {"87"},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestTargets(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	s := sender(t, nil)
	host := strings.TrimSuffix(strings.TrimPrefix(r.URL, "http://"), "/hook")
	for to, want := range map[string]string{
		"http://" + host:                            "/",
		"HTTP://" + host + "/A/b":                   "/A/b",
		"http://" + host + "?a=b":                   "/?a=b",
		"http://" + host + "/x?":                    "/x?",
		"http://" + host + "/x?a=b&a=%zz+c#part":    "/x?a=b&a=%zz+c",
		"http://" + host + "/x#part?a":              "/x",
		"http://" + host + "/a%2Fb/%C3%BC/../c//d/": "/a%2Fb/%C3%BC/../c//d/",
		"http://" + host + "/ü ö?q=ü ö\"<":          "/%C3%BC%20%C3%B6?q=%C3%BC%20%C3%B6\"<",
	} {
		if got := received(t, s, r, deliver(t, to, `{}`)); got.Target != want {
			t.Errorf("%s: %s, want %s", to, got.Target, want)
		}
	}
}

func TestCredentials(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	s := sender(t, nil)
	for user, want := range map[string]string{
		"": "given", "u:p@": "Basic dTpw", "u@": "Basic dTo=", "u:@": "Basic dTo=", "%C3%BC:%40%3A@": "Basic w7w6QDo=",
	} {
		to := strings.Replace(r.URL, "//", "//"+user, 1)
		got := received(t, s, r, deliver(t, to, `{"post_headers": {"authorization": "given"}}`))
		if a := got.Header["Authorization"]; !slices.Equal(a, []string{want}) || strings.Contains(got.Host, "@") {
			t.Errorf("%q: %q at %s", user, a, got.Host)
		}
	}
}

func TestPostData(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	s := sender(t, nil)
	for data, want := range map[string]string{
		`"{\"egg\": \"$zaqar_message$\", \"again\": [\"$zaqar_message$\"]}"`: `{"egg": ` + document + `, "again": [` + document + `]}`,
		`"$zaqar_message$"`: `$zaqar_message$`,
		`"plain ü"`:         `plain ü`,
		`""`:                ``,
	} {
		got := received(t, s, r, deliver(t, r.URL, `{"post_data": `+data+`}`))
		if string(got.Body) != want || got.ContentLength != int64(len(want)) || got.Header.Get("Content-Length") == "" {
			t.Errorf("%s: %q, length %d", data, got.Body, got.ContentLength)
		}
	}
}

func TestPostHeaders(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	s := sender(t, nil)
	const options = `{"post_headers": {"CONTENT-type": "text/plain", "user-agent": "mine", "X-Count": 5, "x-flag": true, "X-Null": null, "Client-ID": "c",
		"Host": "victim", "Content-Length": "1", "Transfer-Encoding": "chunked", "Connection": "close", "Keep-Alive": "1", "Upgrade": "h2c",
		"TE": "trailers", "Trailer": "X", "Expect": "100-continue", "Proxy-Authorization": "x", "Proxy-Connection": "x", "X-Auth-Token": "x",
		"x-auth-key": "x", "webhook-id": "x", "Webhook-Signature": "x", "webhook-timestamp": "1", "Idempotency-Key": "k", "traceparent": "theirs"}}`
	d := deliver(t, r.URL, options)
	d.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	got := received(t, s, r, d)
	want := http.Header{
		"Content-Type": {"text/plain"}, "Accept": {"*/*"}, "User-Agent": {"mine"}, "X-Count": {"5"}, "X-Flag": {"true"}, "Client-Id": {"c"},
		"Idempotency-Key": {"k"}, "Traceparent": {d.Trace},
		"Webhook-Id": {"m1"}, "Webhook-Timestamp": {"1772366400"}, "Content-Length": {"87"},
	}
	if diff := cmp.Diff(want, got.Header); diff != "" {
		t.Error(diff)
	}
	if got.Host == "victim" {
		t.Error("the host is theirs")
	}

	target, _ := url.Parse(r.URL)
	if _, err := s.Post(t.Context(), target, deliver(t, r.URL, `{}`), "token"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Post(t.Context(), target, deliver(t, r.URL, options), "token"); err != nil {
		t.Fatal(err)
	}
	all := r.Requests()
	if a, b := all[1].Header.Get("X-Auth-Token"), all[2].Header.Get("X-Auth-Token"); a != "token" || b != "x" {
		t.Errorf("under a trust %q and %q are sent", a, b)
	}
}

// TestHeaderInjection has options as nobody can store them.
func TestHeaderInjection(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	s := sender(t, nil)
	for _, h := range []map[string]string{
		{"X-A": "b\r\nX-Auth-Token: c"}, {"X-A": "b\nc"}, {"X-A": "b\x00"}, {"X-A\r\nX-B": "c"}, {"X A": "b"}, {"": "b"}, {"X-A:": "b"}, {"ü": "b"},
	} {
		d := deliver(t, r.URL, `{}`)
		d.Options.PostHeaders = h
		var f *notify.Failure
		if _, err := s.Send(t.Context(), d); !errors.As(err, &f) || f.Verdict != notify.GiveUp {
			t.Errorf("%q: %v", h, err)
		}
	}
	for _, to := range []string{"http://127.0.0.1/\r\nX-A: b", "http://127.0.0.1/?a\nb", "http://127.0.0.1\r\n/", "://", "http://%31"} {
		var f *notify.Failure
		if _, err := s.Send(t.Context(), deliver(t, to, `{}`)); !errors.As(err, &f) || f.Verdict != notify.GiveUp {
			t.Errorf("%q: %v", to, err)
		}
	}
	if n := len(r.Requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestSigned(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	s := sender(t, nil)
	first := delivery.NewSecret(noon.Add(-time.Hour))
	secrets := delivery.Secrets{first}.Rotate(delivery.NewSecret(noon))
	d := deliver(t, r.URL, `{"post_data": "say \"$zaqar_message$\""}`)
	d.Subscription.Secrets = secrets.Encode()
	got := received(t, s, r, d)
	for _, secret := range secrets {
		w, err := standardwebhooks.NewWebhook(secret.Text())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.VerifyIgnoringTimestamp(got.Body, got.Header); err != nil {
			t.Error(err)
		}
	}
	d.Subscription.Secrets = []byte("{")
	var f *notify.Failure
	if _, err := s.Send(t.Context(), d); !errors.As(err, &f) || f.Verdict != notify.Retry || len(r.Requests()) != 1 {
		t.Errorf("with secrets that cannot be read: %v", err)
	}
}

func TestLargeBody(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	d := deliver(t, r.URL, `{}`)
	d.Document = []byte(`"` + strings.Repeat("x", 5<<20) + `"`)
	if got := received(t, sender(t, nil), r, d); string(got.Body) != string(d.Document) {
		t.Errorf("%d bytes came", len(got.Body))
	}
}

func TestCheck(t *testing.T) {
	s := sender(t, func(c *webhook.Config) {
		c.Own = func() ([]netip.Addr, error) { return nil, nil }
		c.Resolver = dnstest.New(t, map[string][][]string{"inside.example.A": {{"10.0.0.1"}}, "public.example.A": {{"8.8.8.8"}}}).Resolver()
	})
	for to, pass := range map[string]bool{
		"http://8.8.8.8/x": true, "https://u:p@8.8.8.8:8443/x?y#z": true, "HTTPS://[2606:4700:4700::1111]/": true, "http://127.0.0.1:9/": true,
		"http://nobody.invalid/": true, "http://public.example/": true, "http://inside.example/": false,
		"http:///x": false, "http:x": false, "https://:80/": false, "ftp://8.8.8.8/": false, "http://8.8.8.8:0/": false,
		"http://10.0.0.1/": false, "http://169.254.169.254/": false, "http://0x7f.2/": false, "http://[::ffff:10.0.0.1]/": false,
		"http://[fe80::1%25eth0]/": false, "http://１０.0.0.1/": false, "http://a..b/": false,
	} {
		u, err := url.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context(), u, nil); (err == nil) != pass || err != nil && !errors.Is(err, messaging.Invalid) {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// TestNothingInsideIsReached has a sender of a server that was told nothing.
func TestNothingInsideIsReached(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	closed := webhook.Defaults()
	closed.Now = func() time.Time { return noon }
	s := webhook.New(closed)
	defer s.Close()
	port := r.URL[strings.LastIndexByte(r.URL, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "[::1]", "127.0.0.1.", "１２７.0.0.1"} {
		_, err := s.Send(t.Context(), deliver(t, "http://u:SECRET@"+host+port+"?SECRET", `{}`))
		var f *notify.Failure
		if !errors.As(err, &f) || f.Verdict != notify.Retry || f.What != "Nothing may be sent to this host." || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", host, err)
		}
	}
	if made, _ := r.Connections(); made != 0 {
		t.Errorf("%d connections were made", made)
	}
}

// TestRebinding has a name that is public when somebody subscribes, and this
// machine's ever after.
func TestRebinding(t *testing.T) {
	r := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	names := dnstest.New(t, map[string][][]string{
		"rebind.example.A": {{"8.8.8.8"}, {"127.0.0.1"}}, "rebind.example.AAAA": {{}, {"::1", "::ffff:7f00:1"}},
	})
	d := deliver(t, strings.Replace(r.URL, "127.0.0.1", "rebind.example", 1), `{}`)
	s := sender(t, func(c *webhook.Config) { c.Allow, c.Resolver = egress.List{}, names.Resolver() })
	u, err := url.Parse(d.Subscription.Subscriber)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context(), u, d.Options); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := s.Send(t.Context(), d); !errors.Is(err, egress.ErrRefused) {
			t.Errorf("%v", err)
		}
	}
	if made, _ := r.Connections(); made != 0 || names.Asked() < 4 {
		t.Errorf("%d connections were made, %d questions asked", made, names.Asked())
	}
	if err := s.Check(t.Context(), u, d.Options); err == nil {
		t.Error("it can still be subscribed")
	}
	// Where the operator allows it, the same name leads there.
	if _, err := sender(t, func(c *webhook.Config) { c.Resolver = names.Resolver() }).Send(t.Context(), d); err != nil {
		t.Error(err)
	}
}

func TestProxy(t *testing.T) {
	proxy := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	through, _ := url.Parse(strings.Replace(strings.TrimSuffix(proxy.URL, "/hook"), "//", "//user:word@", 1))
	s := sender(t, func(c *webhook.Config) { c.Proxy, c.Allow = through, egress.List{} })
	got := received(t, s, proxy, deliver(t, "http://u:p@hooks.example/a?b", `{}`))
	if got.Target != "http://hooks.example/a?b" || got.Header.Get("Proxy-Authorization") != "Basic dXNlcjp3b3Jk" || got.Host != "hooks.example" ||
		got.Header.Get("Authorization") != "Basic dTpw" {
		t.Errorf("%s %v", got.Target, got.Header)
	}
	for _, host := range []string{"10.0.0.1", "localhost", "metadata.google.internal", "receiver", "[::1]", "2130706433"} {
		if _, err := s.Send(t.Context(), deliver(t, "http://"+host+"/", `{}`)); err == nil {
			t.Errorf("%s is reached", host)
		}
	}
	if n := len(proxy.Requests()); n != 1 {
		t.Errorf("the proxy got %d requests", n)
	}
}

func TestProxyRefusesTunnel(t *testing.T) {
	proxy := notifytest.NewReceiver(t, notifytest.Answer(407, "SECRET", "X-A: SECRET"))
	through, _ := url.Parse(strings.TrimSuffix(proxy.URL, "/hook"))
	s := sender(t, func(c *webhook.Config) { c.Proxy = through })
	_, err := s.Send(t.Context(), deliver(t, "https://hooks.example/a", `{}`))
	var f *notify.Failure
	if !errors.As(err, &f) || f.Verdict != notify.Retry || f.Status != 0 ||
		f.What != "The way out to this host is closed." || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("%+v", err)
	}
	if r := proxy.Requests(); len(r) != 1 || r[0].Method != "CONNECT" || r[0].Target != "hooks.example:443" {
		t.Errorf("%+v", r)
	}
}

// TestEnvironmentProxies are not heeded.
func TestEnvironmentProxies(t *testing.T) {
	trap := notifytest.NewReceiver(t, notifytest.Answer(200, ""))
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, trap.URL)
	}
	s := sender(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	s.Send(ctx, deliver(t, "http://nobody.invalid/", `{}`))
	if made, _ := trap.Connections(); made != 0 {
		t.Error("the proxy of the environment was asked")
	}
}

// FuzzRequest has subscribers and options of all sorts: what is sent is one
// well-formed POST, or nothing.
func FuzzRequest(f *testing.F) {
	f.Add("/x?a=b#c", "X-A", "b", `"$zaqar_message$"`)
	f.Add("?a b\"ü", "content-TYPE", "a\tb", "")
	f.Add("/", "pragma", "no-cache", "")
	f.Add("/%2f/../ \\", "X-A\r\n", "b\r\nc: d", "x")
	r := notifytest.NewReceiver(f, notifytest.Answer(200, ""))
	s := sender(f, nil)
	root := strings.TrimSuffix(r.URL, "/hook")
	f.Fuzz(func(t *testing.T, path, name, value, data string) {
		if path != "" && !strings.ContainsAny(path[:1], "/?#") {
			path = "/" + path
		}
		d := deliver(t, root+path, `{}`)
		d.Options.PostHeaders, d.Options.PostData = map[string]string{name: value}, &data
		_, err := s.Send(t.Context(), d)
		got := r.Take()
		if err != nil {
			if len(got) != 0 {
				t.Fatalf("%v, but something was sent: %+v", err, got)
			}
			return
		}
		if len(got) != 1 || got[0].Method != "POST" || string(got[0].Body) != strings.ReplaceAll(data, delivery.MessageToken, document) {
			t.Fatalf("%+v", got)
		}
		extra := maps.Clone(got[0].Header)
		for _, usual := range []string{"Content-Type", "Accept", "User-Agent", "Webhook-Id", "Webhook-Timestamp", "Content-Length", http.CanonicalHeaderKey(name)} {
			delete(extra, usual)
		}
		if extra.Get("Cache-Control") == "no-cache" && got[0].Header.Get("Pragma") == "no-cache" {
			delete(extra, "Cache-Control") // net/http reads it into a Pragma
		}
		if len(extra) > 0 {
			t.Fatalf("%q: %q gave %v", name, value, extra)
		}
	})
}
