package workers

import (
	"strings"
	"testing"
	"time"
)

func TestParseMessages(t *testing.T) {
	m, err := ParseMessages([]byte(`[
		{"weight": 0.25, "doc": {"ttl": 60, "body": {"b": 1, "a": [ ]}}},
		{"weight": 0.5, "doc": {"body": "text"}},
		{"weight": 0.25, "doc": {"ttl": 300, "body": {"a": [], "b": 1.0}}}
	]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		item   string
		ttl    time.Duration
		number int16
	}{
		{`{"ttl":60,"body":{"b":1,"a":[]}}`, 60 * time.Second, 0},
		{`{"body":"text"}`, 60 * time.Second, 1},
		{`{"ttl":300,"body":{"a":[],"b":1.0}}`, 300 * time.Second, 0}, // the same value
	}
	for i, w := range want {
		if k := m.kinds[i]; string(k.item) != w.item || k.ttl != w.ttl || k.number != w.number {
			t.Errorf("message %d: %s, %v, body %d", i, k.item, k.ttl, k.number)
		}
	}
	var chosen [3]int
	for range 4000 {
		chosen[m.choose()]++
	}
	for i, n := range chosen {
		if least := []int{700, 1700, 700}[i]; n < least {
			t.Errorf("message %d was chosen %d times of 4000", i, n)
		}
	}
	for body, number := range map[string]int16{
		`{"b":1,"a":[]}`: 0, `{"a":[],"b":1.0}`: 0, "{\n\"a\": [],\"b\":1e0}": 0, `"text"`: 1, `"\u0074ext"`: 1,
		`{"b":1}`: unknown, `null`: unknown, `{`: unknown, ``: unknown,
	} {
		if got := m.recognize([]byte(body)); got != number {
			t.Errorf("%s is body %d, want %d", body, got, number)
		}
	}
}

func TestParseMessagesRefuses(t *testing.T) {
	for name, c := range map[string][2]string{
		"nothing":         {``, "must be ["},
		"no array":        {`{"weight": 1, "doc": {"ttl": 60, "body": 1}}`, "must be ["},
		"empty":           {`[]`, "the weights sum to 0"},
		"more after":      {`[{"weight": 1, "doc": {"body": 1}}] []`, "after the array"},
		"sum":             {`[{"weight": 0.9, "doc": {"body": 1}}]`, "the weights sum to 0.9"},
		"no weight":       {`[{"doc": {"body": 1}}]`, "entry 0: weight"},
		"negative weight": {`[{"weight": 1.5, "doc": {"body": 1}}, {"weight": -0.5, "doc": {"body": 1}}]`, "entry 1: weight"},
		"weight text":     {`[{"weight": "1", "doc": {"body": 1}}]`, "must be ["},
		"no doc":          {`[{"weight": 1}]`, "entry 0: doc"},
		"no body":         {`[{"weight": 1, "doc": {"ttl": 60}}]`, "entry 0: doc"},
		"ttl 0":           {`[{"weight": 1, "doc": {"ttl": 0, "body": 1}}]`, "entry 0: ttl"},
		"ttl text":        {`[{"weight": 1, "doc": {"ttl": "60", "body": 1}}]`, "must be ["},
		"ttl fraction":    {`[{"weight": 1, "doc": {"ttl": 60.5, "body": 1}}]`, "must be ["},
		"unknown member":  {`[{"weight": 1, "doc": {"ttl": 60, "body": 1}, "name": "x"}]`, `"name"`},
		"too many":        {`[` + strings.Repeat(`{"weight": 0, "doc": {"body": 1}},`, maxKinds) + `{"weight": 1, "doc": {"body": 1}}]`, "at most"},
	} {
		if _, err := ParseMessages([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: got %v, want %q", name, err, c[1])
		}
	}
}

// A body with a name twice has no canonical form.
func TestTheSameBodyTwice(t *testing.T) {
	m, err := ParseMessages([]byte(`[{"weight": 0.5, "doc": {"body": {"a": 1, "a": 2}}}, {"weight": 0.5, "doc": {"ttl": 60, "body": {"a":1,"a":2}}}]`))
	if err != nil || m.kinds[0].number != 0 || m.kinds[1].number != 0 || m.recognize(m.kinds[1].body) != 0 {
		t.Errorf("%v, %+v", err, m)
	}
}

func TestNullIsABody(t *testing.T) {
	m, err := ParseMessages([]byte(`[{"weight": 1, "doc": {"ttl": 60, "body": null}}]`))
	if err != nil || string(m.kinds[0].item) != `{"ttl":60,"body":null}` {
		t.Errorf("%v, %+v", err, m)
	}
}

func FuzzParseMessages(f *testing.F) {
	f.Add([]byte(`[{"weight": 0.8, "doc": {"ttl": 60, "body": {}}}, {"weight": 0.2, "doc": {"body": null}}]`))
	f.Add([]byte(`[{"weight": 1e309}]`))
	f.Add([]byte(`[{"weight": 0.5, "doc": {"body": {"a": 1, "a": 2}}}, {"weight": 0.5, "doc": {"body": {"a": 1, "a": 2}}}]`))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := ParseMessages(file)
		if err != nil {
			return
		}
		m.choose()
		for _, k := range m.kinds {
			if got := m.recognize(k.body); got != k.number {
				t.Errorf("body %d is taken for %d", k.number, got)
			}
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"messages":[{"id":"a","href":"/v2/queues/q/messages/a?claim_id=c","ttl":60,"age":0,"body":{}}],"links":[{"rel":"next","href":"/v2/queues/q/messages?marker=1"}]}`))
	f.Add([]byte(`{"resources":["/v2/queues/q/messages/a","\u002fv2/queues/q/messages/b"]}`))
	f.Add([]byte(`{"messages":[{"href":"/v2/queues/q/messages/","body":null}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		r := newReader()
		if r.page("q", doc) == nil {
			for _, m := range r.messages {
				if len(m.id) == 0 || len(m.body) == 0 {
					t.Errorf("a message without id or body: %+v", m)
				}
			}
		}
		if r.resources("q", doc) == nil {
			for _, id := range r.ids {
				if len(id) == 0 {
					t.Error("an empty id")
				}
			}
		}
	})
}
