package rest_test

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/api/rest"
	"zaqar/auth/policy"
	"zaqar/auth/signed"
	"zaqar/broker"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// newHandler returns the API over an empty store, without a network.
func newHandler(t testing.TB) http.Handler {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	store := memory.New(storage.Env{Now: time.Now, Log: log})
	config := broker.Defaults()
	config.MaxWait = 0
	b, err := broker.New(config, broker.Parts{Control: store, Data: store, Policy: policy.Default(), Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	c := rest.Defaults()
	c.Now, c.Admin, c.Signatures = time.Now, true, signed.NewKeys("secret")
	return rest.New(c, b, log)
}

func serve(h http.Handler, req *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func identified(method, target, body string) *http.Request {
	req := httptest.NewRequest(method, target, strings.NewReader(body))
	req.Header.Set("Client-ID", clientA)
	req.Header.Set("X-Project-ID", project)
	return req
}

// FuzzRequest sends whole requests: nothing is a defect, and every answer has
// its form.
func FuzzRequest(f *testing.F) {
	const id = " HTTP/1.1\r\nHost: x\r\nClient-ID: " + clientA + "\r\nX-Project-ID: p\r\n"
	for _, seed := range []string{
		"GET /" + id + "\r\n",
		"GET /v2/queues?limit=2&x=y&name=a" + id + "Accept: application/json;q=0.5, */*\r\n\r\n",
		"PUT /v2/queues/q" + id + "Content-Length: 32\r\n\r\n" + `{"_default_message_ttl": 60, "a":1}`,
		"POST /v2/queues/q/messages" + id + "Content-Length: 25\r\n\r\n" + `{"messages":[{"body":1}]}`,
		"POST /v2/queues/q/claims?limit=3" + id + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"PATCH /v2/queues/q" + id + "Content-Type: " + patchType + "\r\nContent-Length: 2\r\n\r\n[]",
		"DELETE /v2/topics/t/messages?ids=a,b&ids=c&claim_ids=x" + id + "EXTRA-SPEC: messagecode:1\r\n\r\n",
		"DELETE /v2/queues/q/messages?pop=3" + id + "\r\n",
		"POST /v2/queues/q/purge" + id + "Content-Length: 21\r\n\r\n" + `{"resource_types":[]}`,
		"GET /v2/queues/%2e%2e/messages/%00?claim_id=,&wait=0" + id + "\r\n",
		"POST /v2/queues/q/share" + id + "Content-Length: 43\r\n\r\n" + `{"methods":["GET"],"expires":"2096-01-01Z"}`,
		"GET /v2/queues/q/messages" + id + "URL-Signature: x\r\nURL-Expires: 2096-01-01\r\nURL-Methods: GET\r\nURL-Paths: /v2/queues/q/messages\r\n\r\n",
		"BREW /v2/health" + id + "X-Roles: admin\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return
		}
		w := serve(newHandler(t), req)
		body := w.Body.Bytes()
		if w.Code < 200 || w.Code >= 500 {
			t.Fatalf("status %d: %s", w.Code, body)
		}
		if w.Header().Get("X-OpenStack-Request-ID") == "" {
			t.Fatal("no request id")
		}
		if len(body) > 0 && w.Header().Get("Content-Type") != "application/yaml" && !json.Valid(body) {
			t.Fatalf("malformed: %s", body)
		}
	})
}

// FuzzSignature sends a request with a signature whose headers are changed:
// nothing passes but what the signature covers.
func FuzzSignature(f *testing.F) {
	const signature, paths = "3e17855ededc713e1a9f0c440df2534e6a08a8adedcfbb5dc352589623db6408", "/v2/queues/sq/messages"
	f.Add(signature, "2036-01-01T00:00:00", "GET,POST", paths, project, "", "")
	f.Add(signature, "2036-01-01", "POST,GET", paths, project, "Url-Signature", "")
	f.Add("", "", "", "", project, "Url-Signature", signature)
	f.Add(signature, "2036-01-01", "GET,POST", paths, project, "X-Project-Id", "p")
	f.Add(" "+signature, "2036-01-01", "GET,POST", paths, " "+project, "X-Roles", "admin")
	h := newHandler(f)
	f.Fuzz(func(t *testing.T, sig, expires, methods, paths, proj, extra, value string) {
		req := httptest.NewRequest("GET", "/v2/queues/sq/messages", nil)
		req.Header = http.Header{"Client-Id": {clientA}, "Url-Signature": {sig}, "Url-Expires": {expires}, "Url-Methods": {methods}, "Url-Paths": {paths}, "X-Project-Id": {proj}}
		extra = http.CanonicalHeaderKey(extra)
		req.Header[extra] = append(req.Header[extra], value)
		w := serve(h, req)
		sigs := req.Header["Url-Signature"]
		if strings.TrimSpace(strings.Join(sigs, "")) == "" {
			return // not signed
		}
		if w.Code == http.StatusNotFound {
			return
		}
		named := []string{"Url-Signature", "Url-Expires", "Url-Methods", "Url-Paths", "X-Project-Id"}
		for _, name := range named {
			if len(req.Header[name]) != 1 {
				t.Errorf("%s %q: %d", name, req.Header[name], w.Code)
			}
		}
		if strings.TrimSpace(sig) != signature || strings.TrimSpace(proj) != project || strings.TrimSpace(paths) != "/v2/queues/sq/messages" {
			t.Errorf("%q: %d", req.Header, w.Code)
		}
	})
}

// FuzzMarker pages from anywhere: a marker gives the rest of the queue from
// some place on, or nothing.
func FuzzMarker(f *testing.F) {
	for _, seed := range []string{"", "1", "0", "-1", "18446744073709551615", "18446744073709551616", "zzz", "1,2", "%31", "\x00", " 1"} {
		f.Add(seed)
	}
	h := newHandler(f)
	w := serve(h, identified("POST", "/v2/queues/q/messages", `{"messages":[{"body":"0"},{"body":"1"},{"body":"2"}]}`))
	if w.Code != http.StatusCreated {
		f.Fatal(w.Code)
	}
	f.Fuzz(func(t *testing.T, marker string) {
		w := serve(h, identified("GET", "/v2/queues/q/messages?echo=true&marker="+url.QueryEscape(marker), ""))
		var page struct{ Messages []struct{ Body string } }
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%q: %d, %v", marker, w.Code, err)
		}
		bodies := ""
		for _, m := range page.Messages {
			bodies += m.Body
		}
		if !strings.HasSuffix("012", bodies) {
			t.Fatalf("%q: messages %s", marker, bodies)
		}
		if w := serve(h, identified("GET", "/v2/queues?marker="+url.QueryEscape(marker), "")); w.Code != http.StatusOK {
			t.Fatalf("%q: %d", marker, w.Code)
		}
	})
}

// FuzzSubscription sends one body to all that takes bodies about
// subscriptions: what is taken shows as it should, what is not changes nothing.
func FuzzSubscription(f *testing.F) {
	for _, seed := range []string{
		`{"subscriber":"http://x","ttl":60,"options":{"a":1}}`, `{"subscriber":"mailto:a@b.c","ttl":null,"options":null}`,
		`{"subscriber":"http://a","subscriber":"http://b","ttl":1,"ttl":99,"options":{},"options":{"b":{"b":[1.0e5]},"b":"\ud83d\ude00"}}`,
		`{"subscriber":"http://x","options":{"post_data":"\u0000","post_headers":{"A":"b"},"_retry_policy":{"minimum_delay":1}}}`,
		`{"subscriber":"http://x\u0000","ttl":9223372036854775807}`, `{"subscriber":"HTTP://\u202e","ttl":220367260800}`,
		`{"confirmed":true}`, `{"confirmed":1}`, `{"what":"all","since":"2031-05-04T10:00:00Z"}`, `{"what":"failed","since":""}`,
		`{"options":{"filter_policy":{"a":[{"numeric":[">",1e999]}]}}}`, `{"options":{"a":{"b":[{"c":[1e700]}]}}}`, `{"ttl":60,"options":` + strings.Repeat(`{"a":`, 250) + `1` + strings.Repeat(`}`, 250) + `}`,
		"{\"subscriber\":\"http://\xff\"}", `[]`, `{`, ``, `null`, `"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		h := newHandler(t)
		var made struct {
			ID string `json:"subscription_id"`
		}
		const at = "/v2/topics/t/subscriptions"
		want(t, serve(h, identified("POST", at, `{"subscriber":"http://first"}`)), &made, 201)
		one := at + "/" + made.ID
		w := serve(h, identified("POST", at, body))
		want(t, w, nil, 201, 400)
		checkSubscriptions(t, h, at, map[int]int{201: 2, 400: 1}[w.Code])
		want(t, serve(h, identified("PATCH", one, body)), nil, 204, 400, 409)
		want(t, serve(h, identified("PUT", one+"/confirm", body)), nil, 204, 400)
		want(t, serve(h, identified("POST", one+"/replay", body)), nil, 400) // nobody delivers
		want(t, serve(h, identified("POST", one+"/secret", body)), nil, 200)
		checkSubscriptions(t, h, at, 2)
	})
}

// want checks the status of a reply and reads it.
func want(t *testing.T, w *httptest.ResponseRecorder, into any, statuses ...int) {
	t.Helper()
	if !slices.Contains(statuses, w.Code) {
		t.Fatalf("status %d, want %v: %s", w.Code, statuses, w.Body)
	}
	if into == nil {
		return
	}
	// Numbers beyond float64 are given back as they came.
	d := json.NewDecoder(w.Body)
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
}

// checkSubscriptions checks what a list shows, and that there are no more than
// that.
func checkSubscriptions(t *testing.T, h http.Handler, at string, most int) {
	t.Helper()
	var page struct {
		Subscriptions []struct {
			ID, Subscriber, Source string
			TTL, Age               int64
			Options                map[string]any
			Confirmed              *bool
		}
	}
	want(t, serve(h, identified("GET", at, "")), &page, 200)
	if n := len(page.Subscriptions); n == 0 || n > most {
		t.Fatalf("%d subscriptions", len(page.Subscriptions))
	}
	for _, s := range page.Subscriptions {
		scheme, _, _ := strings.Cut(s.Subscriber, ":")
		known := slices.Contains(broker.Defaults().SubscriberTypes, strings.ToLower(scheme))
		if s.ID == "" || !known || s.Source != "t" || s.TTL < 60 || s.Age < 0 || s.Options == nil || s.Confirmed == nil {
			t.Fatalf("%+v", s)
		}
		if strings.ContainsFunc(s.Subscriber, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			t.Fatalf("%+q", s.Subscriber)
		}
	}
}
