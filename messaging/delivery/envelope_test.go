package delivery_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging/delivery"
)

func TestAppendDocument(t *testing.T) {
	for _, body := range []string{`null`, `-1.50e+3`, `"é\u00e9\/"`, `[1,  {"a":[]}]`, `{"b" : 1,"b":2}`} {
		want := `{"ttl":300,"body":` + body + `,"queue_name":"q.1","Message_Type":"Notification"}`
		if got := string(delivery.AppendDocument([]byte("x"), "q.1", 300, 0, []byte(body))); got != "x"+want {
			t.Errorf("%s, want %s", got, want)
		}
		delayed := string(delivery.AppendDocument(nil, "q.1", 300, 7, []byte(body)))
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(delayed), &members); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name, value := range members {
			got[name] = string(value)
		}
		if d := cmp.Diff(map[string]string{"ttl": "300", "body": body, "delay": "7", "queue_name": `"q.1"`, "Message_Type": `"Notification"`}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", delayed, d)
		}
	}
}

func TestNote(t *testing.T) {
	trace := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for _, tt := range []struct {
		note delivery.Note
		line string
	}{
		{delivery.Note{}, ""},
		{delivery.Note{Hops: 3}, "3"},
		{delivery.Note{Trace: trace}, "0 " + trace},
		{delivery.Note{Hops: 8, Trace: trace}, "8 " + trace},
		{delivery.Note{Hops: 2, Trace: trace, Origin: "o"}, "2 " + trace + " o"},
		{delivery.Note{Hops: 2, Origin: "o"}, "2 - o"},
	} {
		if got := string(tt.note.Append(nil)); got != tt.line {
			t.Errorf("%+v: %q, want %q", tt.note, got, tt.line)
		}
		if d := cmp.Diff(tt.note, delivery.ReadNote([]byte(tt.line))); d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.line, d)
		}
	}
	for line, want := range map[string]delivery.Note{
		"2 " + trace + " o later": {Hops: 2, Trace: trace, Origin: "o"},
		"2 - ":                    {Hops: 2},
		"x":                       {Hops: delivery.MaxHops},
		"-1":                      {Hops: delivery.MaxHops},
		"99999999999999999999":    {Hops: delivery.MaxHops},
		" " + trace:               {Hops: delivery.MaxHops},
	} {
		if d := cmp.Diff(want, delivery.ReadNote([]byte(line))); d != "" {
			t.Errorf("%q (-want +got):\n%s", line, d)
		}
	}
	for _, bad := range []string{"a b", "a\nb", "é", "\x00"} {
		if got := string(delivery.Note{Hops: 1, Trace: bad}.Append(nil)); got != "1" {
			t.Errorf("the trace %q makes %q", bad, got)
		}
		if got := string(delivery.Note{Hops: 1, Origin: bad}.Append(nil)); got != "1" {
			t.Errorf("the origin %q makes %q", bad, got)
		}
	}
}

func TestEnvelope(t *testing.T) {
	posted := time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)
	for _, e := range []delivery.Envelope{
		{Kind: delivery.Notification},
		{
			Kind: delivery.Notification, Message: "06cab28a0000000000000002", TTL: 1<<32 - 1, Delay: 900, Posted: posted,
			Attempts: 12, First: posted.Add(time.Hour), Note: delivery.Note{Hops: 2, Trace: "00-ab-cd-01"},
			Status: 503, Error: "The receiver answered 503.", Body: []byte("\x00\xff\n\x01{"),
		},
		{Kind: delivery.SubscriptionConfirmation, Message: "m", Body: []byte(`{"a":1}`)},
		{Kind: delivery.UnsubscribeConfirmation, Body: []byte{}},
	} {
		raw := e.Append([]byte("before"))
		got, err := delivery.ReadEnvelope(raw[len("before"):])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(e.Body, got.Body) {
			t.Errorf("the body %q became %q", e.Body, got.Body)
		}
		e.Body, got.Body = nil, nil
		if d := cmp.Diff(e, got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	}
	small := delivery.Envelope{Kind: delivery.Notification, Message: "06cab28a0000000000000002", TTL: 3600, Posted: posted, Body: []byte("{}")}
	if n := len(small.Append(nil)); n > 48 {
		t.Errorf("a small envelope has %d bytes", n)
	}
}

func TestEnvelopeKeepsTheBeginningOfAnError(t *testing.T) {
	for in, want := range map[string]string{
		strings.Repeat("x", 256):       strings.Repeat("x", 256),
		strings.Repeat("x", 9999):      strings.Repeat("x", 256),
		strings.Repeat("x", 255) + "é": strings.Repeat("x", 255),
		"a\xffb":                       "a\ufffdb",
	} {
		e := delivery.Envelope{Kind: delivery.Notification, Error: in}
		got, err := delivery.ReadEnvelope(e.Append(nil))
		if err != nil || got.Error != want {
			t.Errorf("%q became %q, %v", in, got.Error, err)
		}
	}
}

func TestDamagedEnvelopes(t *testing.T) {
	e := delivery.Envelope{Kind: delivery.Notification, Message: "m", TTL: 300, Error: "e"}
	raw := e.Append(nil)
	for n := range len(raw) {
		if got, err := delivery.ReadEnvelope(raw[:n]); err == nil {
			t.Errorf("of the first %d bytes of %d: %+v", n, len(raw), got)
		}
	}
	for at, value := range map[int]byte{0: 2, 1: 3, 2: 200} {
		bad := bytes.Clone(raw)
		bad[at] = value
		if got, err := delivery.ReadEnvelope(bad); err == nil {
			t.Errorf("with %d at %d: %+v", value, at, got)
		}
	}
}

// FuzzReadEnvelope checks that what can be read is written as it is read.
func FuzzReadEnvelope(f *testing.F) {
	e := delivery.Envelope{Kind: delivery.Notification, Message: "m", TTL: 300, Posted: time.UnixMilli(1), Note: delivery.Note{Hops: 1, Trace: "t"}, Error: "e", Body: []byte("b")}
	f.Add(e.Append(nil))
	f.Add([]byte{1, 2})
	f.Add([]byte("\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := delivery.ReadEnvelope(raw)
		if err != nil {
			return
		}
		again, err := delivery.ReadEnvelope(e.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Error) > delivery.MaxErrorSize || strings.ToValidUTF8(e.Error, "") != e.Error {
			e.Error, again.Error = "", ""
		}
		e.Note, again.Note = delivery.Note{}, delivery.Note{}
		if d := cmp.Diff(e, again); d != "" {
			t.Fatalf("%q (-want +got):\n%s", raw, d)
		}
	})
}

// FuzzReadNote checks that a note read and written is read as the same.
func FuzzReadNote(f *testing.F) {
	f.Add([]byte("1 00-ab-cd-01 more"))
	f.Add([]byte(" "))
	f.Fuzz(func(t *testing.T, line []byte) {
		n := delivery.ReadNote(line)
		written := n.Append(nil)
		if bytes.ContainsAny(written, "\n\r") {
			t.Fatalf("%q makes %q", line, written)
		}
		again := delivery.ReadNote(written)
		if again.Hops != n.Hops || again.Trace != n.Trace && again.Trace != "" {
			t.Fatalf("%q is read as %+v, and that as %+v", line, n, again)
		}
	})
}
