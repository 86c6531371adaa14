package messaging_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
)

func TestDecodeMetadata(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "{}"},
		{"{}", "{}"},
		{" {\n} ", "{}"},
		{`{"b": 1, "a": {"c": [1,  2]}}`, `{"b":1,"a":{"c": [1,  2]}}`}, // members in order, values as sent
		{`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`},
		{`{"a":1,"\u0061":2}`, `{"a":2}`},
		{`{"":null,"\"\u0000é":1e3}`, `{"":null,"\"\u0000é":1e3}`},
	} {
		m, err := messaging.DecodeMetadata([]byte(tt.in))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if got := string(m.JSON()); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.in, got, tt.want)
		}
		if again := messaging.NewMetadata(m.Members()); !again.Equal(m) {
			t.Errorf("%s: its members make %s", tt.in, again.JSON())
		}
	}
}

func TestDecodeMetadataRefuses(t *testing.T) {
	for _, in := range []string{" ", "null", "[]", `"{}"`, "{", `{"a"}`, `{"a":}`, `{"a":1,}`, "{} {}", "{}x", "{\"a\":\"\xff\"}"} {
		if m, err := messaging.DecodeMetadata([]byte(in)); err == nil {
			t.Errorf("%q gives %s", in, m.JSON())
		}
	}
}

func TestNilMetadataIsEmpty(t *testing.T) {
	var m *messaging.Metadata
	if string(m.JSON()) != "{}" || m.Members() != nil || m.Settings() != (messaging.Settings{}) || !m.Equal(messaging.NewMetadata(nil)) {
		t.Errorf("%s, %v, %+v", m.JSON(), m.Members(), m.Settings())
	}
}

// Metadata is immutable: neither what it was made of nor what it gave away
// changes it.
func TestMetadataSharesNothing(t *testing.T) {
	text := []byte(`{"a":1,"b":2}`)
	m, err := messaging.DecodeMetadata(text)
	if err != nil {
		t.Fatal(err)
	}
	clear(text)
	clear(m.Members()[0].Value)
	if got := string(m.JSON()); got != `{"a":1,"b":2}` {
		t.Errorf("it became %s", got)
	}
}

func TestSettings(t *testing.T) {
	n := func(n int64) *int64 { return &n }
	for _, tt := range []struct {
		in   string
		want messaging.Settings
	}{
		{`{"other": 5}`, messaging.Settings{}},
		{
			`{"_max_messages_post_size": 1, "_default_message_ttl": 2, "_default_message_delay": 0, "_dead_letter_queue": "d",
			"_dead_letter_queue_messages_ttl": 4, "_max_claim_count": 5, "_enable_encrypt_messages": true, "_flavor": "f"}`,
			messaging.Settings{MaxPostSize: n(1), DefaultTTL: n(2), DefaultDelay: n(0), DeadLetterQueue: "d",
				DeadLetterTTL: n(4), MaxClaimCount: n(5), Encrypt: true, Flavor: "f"},
		},
		{
			`{"_max_messages_post_size": null, "_default_message_ttl": "2", "_default_message_delay": 0.5, "_dead_letter_queue": 1,
			"_dead_letter_queue_messages_ttl": [], "_max_claim_count": true, "_enable_encrypt_messages": 1, "_flavor": {}}`,
			messaging.Settings{},
		},
	} {
		m, err := messaging.DecodeMetadata([]byte(tt.in))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, m.Settings()); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.in, d)
		}
	}
}

func TestIntegerAndText(t *testing.T) {
	for _, tt := range []struct {
		in     string
		number any // int64, or nil if it is none
		text   any
	}{
		{"0", int64(0), nil},
		{"-0", int64(0), nil},
		{"9223372036854775807", int64(9223372036854775807), nil},
		{"-9223372036854775808", int64(-9223372036854775808), nil},
		{"9223372036854775808", nil, nil},
		{"1.0", nil, nil},
		{"1e2", nil, nil},
		{"true", nil, nil},
		{"null", nil, nil},
		{"[]", nil, nil},
		{`""`, nil, ""},
		{`"12"`, nil, "12"},
		{`"\u00e9\/"`, nil, "é/"},
	} {
		if n, ok := messaging.Integer([]byte(tt.in)); ok != (tt.number != nil) || ok && n != tt.number {
			t.Errorf("%s: integer %d, %v", tt.in, n, ok)
		}
		if s, ok := messaging.Text([]byte(tt.in)); ok != (tt.text != nil) || ok && s != tt.text {
			t.Errorf("%s: text %q, %v", tt.in, s, ok)
		}
	}
}

// FuzzDecodeMetadata checks that what is accepted is written as one JSON
// object of unlike names, which reads back as the same.
func FuzzDecodeMetadata(f *testing.F) {
	for _, in := range []string{"", "{}", `{"a":1,"b":[{}],"a":"\u0061"}`, `{"":{"_flavor":null},"_flavor":"f"}`, `{"a":1`, "[]"} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := messaging.DecodeMetadata(in)
		if err != nil {
			return
		}
		if !json.Valid(m.JSON()) || !strings.HasPrefix(string(m.JSON()), "{") {
			t.Fatalf("%q gives %s", in, m.JSON())
		}
		again, err := messaging.DecodeMetadata(m.JSON())
		if err != nil || !again.Equal(m) {
			t.Fatalf("%q gives %s, and that %s (%v)", in, m.JSON(), again.JSON(), err)
		}
		seen := map[string]bool{}
		for _, member := range m.Members() {
			if seen[member.Name] {
				t.Fatalf("%q has %q twice: %s", in, member.Name, m.JSON())
			}
			seen[member.Name] = true
		}
	})
}
