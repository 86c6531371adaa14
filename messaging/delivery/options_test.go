package delivery_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

func TestParseOptions(t *testing.T) {
	text := func(s string) *string { return &s }
	policy := delivery.DefaultRetryPolicy()
	policy.NoDelayRetries = 1
	for _, tt := range []struct {
		in   string
		want delivery.Options
	}{
		{``, delivery.Options{}},
		{`{}`, delivery.Options{}},
		{`{"other":{"post_data":1}}`, delivery.Options{}},
		{`{"post_data":null,"post_headers":null,"_retry_policy":null,"trust_id":null,"from":null,"subject":null,"dead_letter_queue":null}`, delivery.Options{}},
		{`{"post_data":""}`, delivery.Options{PostData: text("")}},
		{`{"_retry_policy":{"retries_with_no_delay":1}}`, delivery.Options{RetryPolicy: &policy}},
		{`{"trust_id":"t","from":"Bus <bus@example.org>","subject":"neue Aufträge","dead_letter_queue":"d.l-q"}`,
			delivery.Options{TrustID: "t", From: "Bus <bus@example.org>", Subject: "neue Aufträge", DeadLetterQueue: "d.l-q"}},
		{`{"dead_letter_queue":""}`, delivery.Options{}},
		{`{"post_headers":{"X-A":"1","Count":2,"Flag":true,"None":null,"x-a":" a\tb ","Empty":"","Host":"h"}}`,
			delivery.Options{PostHeaders: map[string]string{"x-a": "a\tb", "Count": "2", "Flag": "true", "Empty": "", "Host": "h"}}},
	} {
		o, err := delivery.ParseOptions([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if d := cmp.Diff(&tt.want, o); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, d)
		}
	}
}

// What cannot be stored is refused by name, and ignored where it is stored.
func TestOptionsThatDoNotFit(t *testing.T) {
	for _, tt := range []struct{ in, names string }{
		{`[]`, "options must"},
		{`"x"`, "options must"},
		{`{"post_data":{}}`, "options.post_data"},
		{`{"post_data":1}`, "options.post_data"},
		{`{"post_data":` + quote(strings.Repeat(delivery.MessageToken, 17)) + `}`, "options.post_data may name the message 16 times at most, not 17"},
		{`{"post_headers":[]}`, "options.post_headers must"},
		{`{"post_headers":"a: b"}`, "options.post_headers must"},
		{`{"post_headers":{"a b":"c"}}`, `options.post_headers has a member "a b"`},
		{`{"post_headers":{"":"c"}}`, `options.post_headers has a member ""`},
		{`{"post_headers":{"a:":"c"}}`, `options.post_headers has a member "a:"`},
		{`{"post_headers":{"a\r\nb":"c"}}`, `options.post_headers has a member "a\r\nb"`},
		{`{"post_headers":{"é":"c"}}`, `options.post_headers has a member "é"`},
		{`{"post_headers":{"a":"b\r\nHost: c"}}`, "options.post_headers.a must"},
		{`{"post_headers":{"a":"b\n"}}`, "options.post_headers.a must"},
		{`{"post_headers":{"a":"\u0000"}}`, "options.post_headers.a must"},
		{`{"post_headers":{"a":"\u007f"}}`, "options.post_headers.a must"},
		{`{"post_headers":{"a":["b"]}}`, "options.post_headers.a must"},
		{`{"post_headers":{"a":{"b":1}}}`, "options.post_headers.a must"},
		{`{"_retry_policy":"x"}`, "options._retry_policy must"},
		{`{"trust_id":7}`, "options.trust_id"},
		{`{"from":["a"]}`, "options.from"},
		{`{"from":"a\nBcc: b"}`, "options.from"},
		{`{"subject":false}`, "options.subject"},
		{`{"subject":"a\rb"}`, "options.subject"},
		{`{"dead_letter_queue":"a b"}`, "options.dead_letter_queue"},
		{`{"dead_letter_queue":1}`, "options.dead_letter_queue"},
		{`{"filter_policy":"x"}`, "options.filter_policy must be an object"},
		{`{"filter_policy":{"a":[{"prefix":1}]}}`, "options.filter_policy.a[0].prefix must"},
		{`{"filter_policy":{"a":{"b":["x"]}},"filter_policy_scope":"MessageAttributes"}`, "options.filter_policy.a must be an array"},
		{`{"filter_policy":{"a":["x"]},"filter_policy_scope":"Body"}`, "options.filter_policy_scope must be MessageBody or MessageAttributes"},
		{`{"filter_policy_scope":1}`, "options.filter_policy_scope must be"},
	} {
		o, err := delivery.ParseOptions([]byte(tt.in))
		if !errors.Is(err, messaging.Invalid) || !strings.Contains(err.Error(), tt.names) {
			t.Errorf("%s: %v, want Invalid about %s", tt.in, err, tt.names)
		}
		if d := cmp.Diff(&delivery.Options{}, o); d != "" {
			t.Errorf("%s leaves (-want +got):\n%s", tt.in, d)
		}
	}
}

// One member that does not fit takes nothing else away.
func TestOptionsKeepWhatFits(t *testing.T) {
	o, err := delivery.ParseOptions([]byte(`{"post_data":1,"post_headers":{"a":"1","b\n":"2","c":[],"d":"4"},"from":"f","_retry_policy":{"minimum_delay":"x"}}`))
	if err == nil || !strings.Contains(err.Error(), "options.post_data") {
		t.Errorf("the first fault is told as %v", err)
	}
	policy := delivery.DefaultRetryPolicy()
	want := &delivery.Options{PostHeaders: map[string]string{"a": "1", "d": "4"}, From: "f", RetryPolicy: &policy}
	if d := cmp.Diff(want, o); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestOptionsHaveFilters(t *testing.T) {
	for _, tt := range []struct {
		in, body string
		want     bool
	}{
		{`{}`, `7`, true},
		{`{"filter_policy":{}}`, `7`, true},
		{`{"filter_policy":null,"filter_policy_scope":"MessageAttributes"}`, `7`, true},
		{`{"filter_policy":{"a":["x"]}}`, `{"a":"x"}`, true},
		{`{"filter_policy":{"a":["x"]}}`, `7`, false},
		{`{"filter_policy_scope":"MessageBody","filter_policy":{"a":["x"]}}`, `{"a":"y"}`, false},
		{`{"filter_policy_scope":"MessageAttributes","filter_policy":{"a":["x"]}}`, `{"a":"x"}`, false},
		{`{"filter_policy":{"a":["x"]},"filter_policy_scope":"MessageAttributes"}`, `{"MessageAttributes":{"a":{"Type":"String","Value":"x"}}}`, true},
	} {
		o, err := delivery.ParseOptions([]byte(tt.in))
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Filter.Match([]byte(tt.body)); got != tt.want {
			t.Errorf("%s passes with %s: %v", tt.body, tt.in, got)
		}
	}
}

func TestHeadersThatAreSent(t *testing.T) {
	for _, tt := range []struct {
		names         string
		plain, trusts bool
	}{
		{"Content-Type content-type X-Project-ID Client-ID Authorization User-Agent X-Authority X_Auth_Token Accept", true, true},
		{"X-Auth-Token x-auth-token X-AUTH-USER", false, true},
		{"Host hOST Content-Length Expect Connection Keep-Alive TE Trailer Transfer-Encoding Upgrade Proxy-Connection Proxy-Authorization " +
			"Webhook-Id webhook-timestamp WEBHOOK-SIGNATURE HTTP2-Settings", false, false},
	} {
		for name := range strings.FieldsSeq(tt.names) {
			if plain, trusted := delivery.MayPost(name, false), delivery.MayPost(name, true); plain != tt.plain || trusted != tt.trusts {
				t.Errorf("%s: sent %v, under a trust %v", name, plain, trusted)
			}
		}
	}
}

func TestPayload(t *testing.T) {
	document := `{"ttl":1}`
	for _, tt := range []struct{ options, want string }{
		{`{}`, document},
		{`{"post_data":""}`, ""},
		{`{"post_data":"x"}`, "x"},
		{`{"post_data":"{\"a\": \"$zaqar_message$\", \"b\": [\"$zaqar_message$\"]}"}`, `{"a": {"ttl":1}, "b": [{"ttl":1}]}`},
		{`{"post_data":"$zaqar_message$ '$zaqar_message$' \"$zaqar_message$ \""}`, `$zaqar_message$ '$zaqar_message$' "$zaqar_message$ "`},
		{`{"post_data":"é\u0000"}`, "é\x00"},
	} {
		o, err := delivery.ParseOptions([]byte(tt.options))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(o.Payload([]byte(document))); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.options, got, tt.want)
		}
	}
	if got := string((*delivery.Options)(nil).Payload([]byte(document))); got != document {
		t.Errorf("without options: %q", got)
	}
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// FuzzParseOptions checks that whatever stands in options, what is kept could
// not end the line of a header nor name a queue that cannot be, and that the
// plan ends.
func FuzzParseOptions(f *testing.F) {
	for _, in := range []string{"", "{}", "[]", `{"post_data":"\"$zaqar_message$\"","post_headers":{"a":"b","A":1},"from":"x"}`,
		`{"_retry_policy":{"maximum_delay":1e18},"dead_letter_queue":"d","subject":"s\n"}`, `{"filter_policy":{"a":["x"]},"filter_policy_scope":"MessageAttributes"}`} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		o, err := delivery.ParseOptions(in)
		if o == nil || err != nil && !errors.Is(err, messaging.Invalid) {
			t.Fatalf("%q: %v, %v", in, o, err)
		}
		seen := map[string]bool{}
		for name, value := range o.PostHeaders {
			if name == "" || strings.ContainsAny(name, " :\r\n\x00") || strings.ContainsAny(value, "\r\n\x00") || seen[strings.ToLower(name)] {
				t.Fatalf("%q gives the header %q: %q", in, name, value)
			}
			seen[strings.ToLower(name)] = true
		}
		if strings.ContainsAny(o.From+o.Subject+o.TrustID, "\r\n\x00") || o.DeadLetterQueue != "" && !messaging.ValidName(o.DeadLetterQueue) {
			t.Fatalf("%q gives %+v", in, o)
		}
		if _, ok := delivery.ChooseRetryPolicy(o.RetryPolicy, nil).Wait(delivery.MaxAttempts + 1); ok {
			t.Fatalf("%q gives a plan without an end", in)
		}
		o.Payload([]byte("{}"))
	})
}
