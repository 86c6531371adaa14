package load

import (
	"slices"
	"testing"
)

func TestReadPage(t *testing.T) {
	tests := []struct {
		name, doc string
		ids       []string
		next      string
		bad       bool
	}{
		{"tight", `{"messages":[{"id":"a","href":"/v2/queues/q/messages/a","body":"proof"},{"id":"b","body":{"x":["proof"]},"href":"/v2/queues/q/messages/b"}],"links":[{"rel":"next","href":"/v2/queues/q/messages?limit=2&marker=9"}]}`,
			[]string{"a", "b"}, "/v2/queues/q/messages?limit=2&marker=9", false},
		{"spaced and escaped", `{"messages": [ {"body":{"a\\\"b":"c\\\\"}, "x": "proof", "href" : "/v2\/queues/q/messages/a?claim_id=c"} ], "links": [{"href": "/v2/queues/q/messages?limit=2\u0026marker=9"}]}`,
			[]string{"a"}, "/v2/queues/q/messages?limit=2&marker=9", false},
		{"empty", `{"messages":[],"links":[]}`, nil, "", false},
		{"another body", `{"messages":[{"href":"/v2/queues/q/messages/a","body":"Proof"}]}`, nil, "", true},
		{"a body twice", `{"messages":[{"href":"/v2/queues/q/messages/a","body":["proof","proof"]}]}`, nil, "", true},
		{"cut in another member", `{"messages":[{"href":"/v2/queues/q/messages/a","body":"proof","x":"`, nil, "", true},
		{"cut", `{"messages":[{"href":"/v2/queues/q/mess`, nil, "", true},
		{"cut in an escape", `{"href":"/v2/queues/q/messages/a\`, nil, "", true},
		{"not a text", `{"href":7}`, nil, "", true},
		{"line feed", `{"href":"/v2/queues/q/messages/a\nb","body":"proof"}`, nil, "", true},
		{"bad escape", `{"href":"\x"}`, nil, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ids idList
			p, err := readPage([]byte(tt.doc), []byte(`"proof"`), func(id []byte) { ids = ids.add(0, id) })
			if tt.bad {
				if err == nil {
					t.Errorf("got %+v, want an error", p)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Collect(ids.all()); !slices.Equal(got, tt.ids) || p.n != len(tt.ids) || string(p.next) != tt.next {
				t.Errorf("got %q, %q, want %q, %q", got, p.next, tt.ids, tt.next)
			}
		})
	}
}

func TestPosted(t *testing.T) {
	tests := []struct {
		name, doc string
		ids       []string
		bad       bool
	}{
		{"one", `{"resources":["/v2/queues/q/messages/a"]}`, []string{"a"}, false},
		{"spaced", `{"resources": [ "/v2/queues/q/messages/a" , "/v2/queues/q/messages/b" ] }`, []string{"a", "b"}, false},
		{"none", `{"resources":[]}`, nil, true},
		{"another document", `{"title":"x"}`, nil, true},
		{"another path", `{"resources":["/v2/queues/q"]}`, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ids idList
			n, err := posted([]byte(tt.doc), func(id []byte) { ids = ids.add(0, id) })
			if (err != nil) != tt.bad {
				t.Fatalf("error %v", err)
			}
			if got := slices.Collect(ids.all()); !tt.bad && (!slices.Equal(got, tt.ids) || n != len(tt.ids)) {
				t.Errorf("got %q, want %q", got, tt.ids)
			}
		})
	}
}

func FuzzHrefs(f *testing.F) {
	f.Add([]byte(`{"href":"/v2/queues/q/messages/a?claim_id=c","body":"proof"}`))
	f.Add([]byte(`{"href":"/messages/a\nb?claim_id=c","body":"proof"}`))
	f.Add([]byte(`{"resources":["/v2\/queues/q/messages/a"]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		var c claimed
		if c.read(doc, []byte(`"proof"`)) == nil && (c.n != c.ids.len() || c.n > len(doc)) {
			t.Errorf("%d messages, %d ids in %q", c.n, c.ids.len(), doc)
		}
		if n, err := posted(doc, func([]byte) {}); err == nil && n > len(doc) {
			t.Errorf("%d messages in %q", n, doc)
		}
	})
}
