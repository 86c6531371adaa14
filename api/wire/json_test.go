package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/broker"
	"zaqar/messaging"
)

func integer(n int64) *int64 { return &n }

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

// refused fails the test unless err is Invalid and its text is as wanted.
func refused(t *testing.T, input string, err error, want string) {
	t.Helper()
	if !errors.Is(err, messaging.Invalid) {
		t.Errorf("%.80q: error %v, want an invalid request", input, err)
		return
	}
	var e *messaging.Error
	errors.As(err, &e)
	head, tail, some := strings.Cut(want, "*") // for texts of the JSON library
	if e.What != want && !(some && strings.HasPrefix(e.What, head) && strings.HasSuffix(e.What, tail)) {
		t.Errorf("%.80q:\n got %s\nwant %s", input, e.What, want)
	}
}

func TestPosts(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []broker.Post
	}{
		{`{"messages":[{"body":1}]}`, []broker.Post{{Body: []byte("1")}}},
		{` { "x" : [ 1 ] , "messages" : [ { "ttl" : 60 , "body" : { "a" : 1.0 } , "delay" : "x" } , {"body":null} ] } `,
			[]broker.Post{{TTL: integer(60), Delay: []byte(`"x"`), Body: []byte(`{ "a" : 1.0 }`)}, {Body: []byte("null")}}},
		{`{"messages":[{"body":1}],"messages":[{"body":2,"body":3,"ttl":1,"ttl":2}]}`, []broker.Post{{TTL: integer(2), Body: []byte("3")}}},
		{`{"mess\u0061ges":[{"b\u006fdy":"\u0061\"\\"}]}`, []broker.Post{{Body: []byte(`"\u0061\"\\"`)}}},
		{`{"messages":[{"body":1e400},{"body":-9223372036854775808},{"body":99999999999999999999.0}]}`,
			[]broker.Post{{Body: []byte("1e400")}, {Body: []byte("-9223372036854775808")}, {Body: []byte("99999999999999999999.0")}}},
		{`{"messages":[{"body":"99999999999999999999 [[["}]}`, []broker.Post{{Body: []byte(`"99999999999999999999 [[["`)}}},
		{`{"messages":[{"body":` + nested(MaxDepth-3) + `}]}`, []broker.Post{{Body: []byte(nested(MaxDepth - 3))}}},
	} {
		var r Reader
		got, err := r.Posts([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.in, diff)
		}
	}
}

// TestReaderIsReusable makes sure that one document leaves nothing to the next.
func TestReaderIsReusable(t *testing.T) {
	var r Reader
	for range 2 {
		if _, err := r.Posts([]byte(`{"messages":[{"body":[1,`)); err == nil {
			t.Error("a truncated document is accepted")
		}
		posts, err := r.Posts([]byte(`{"messages":[{"body":2}]}`))
		if err != nil || string(posts[0].Body) != "2" {
			t.Errorf("%v, %v", posts, err)
		}
	}
}

func TestPostsRefused(t *testing.T) {
	for in, want := range map[string]string{
		``:                                     "Malformed JSON: the document ends too early, at offset 0.",
		`  `:                                   "Malformed JSON: the document ends too early, at offset 2.",
		`null`:                                 "The document must be an object or an array, not null.",
		`true`:                                 "The document must be an object or an array, not a boolean.",
		`1`:                                    "The document must be an object or an array, not a number.",
		`"x"`:                                  "The document must be an object or an array, not a string.",
		`[]`:                                   "The document must be an object, not an array.",
		`{}`:                                   `messages is missing.`,
		`{"messages":[]}`:                      "messages must hold at least one message.",
		`{"messages":null}`:                    "messages must be an array, not null.",
		`{"messages":{}}`:                      "messages must be an array, not an object.",
		`{"messages":[1]}`:                     "messages[0] must be an object, not a number.",
		`{"messages":[{"body":1},[]]}`:         "messages[1] must be an object, not an array.",
		`{"messages":[{}]}`:                    `messages[0] lacks the member "body".`,
		`{"messages":[{"body":1},{"ttl":1}]}`:  `messages[1] lacks the member "body".`,
		`{"messages":[{"body":1,"ttl":null}]}`: "messages[0].ttl must be an integer, not null.",
		`{"messages":[{"body":1,"ttl":"60"}]}`: "messages[0].ttl must be an integer, not a string.",
		`{"messages":[{"body":1,"ttl":60.0}]}`: "messages[0].ttl must be an integer, without fraction and exponent.",
		`{"messages":[{"body":1,"ttl":6e1}]}`:  "messages[0].ttl must be an integer, without fraction and exponent.",
		`{"messages":[{"body":9223372036854775808}]}`:        "An integer does not fit 64 bits, at offset 21.",
		`{"messages":[{"body":[-9223372036854775809]}]}`:     "An integer does not fit 64 bits, at offset 22.",
		`{"messages":[{"body":1}]} x`:                        "There is text behind the JSON document, at offset 26.",
		`{"messages":[{"body":1}]}{}`:                        "There is text behind the JSON document, at offset 25.",
		`{"messages":[{"body":1}`:                            "Malformed JSON: the document ends too early, at offset 23.",
		`{"messages":[{"body":"`:                             "Malformed JSON: the document ends too early, at offset 22.",
		`{"messages":[{"body":NaN}]}`:                        "Malformed JSON: *, in messages[0].body at offset 21.",
		`{"messages":[{"body":-Infinity}]}`:                  "Malformed JSON: *, in messages[0].body at offset 22.",
		`{"messages":[{"body":01}]}`:                         "Malformed JSON: *, in messages[0] at offset 22.",
		`{"messages":[{"body":"` + "\xff" + `"}]}`:           "Malformed JSON: *, in messages[0].body at offset 22.",
		`{"messages":[{"body":"\ud800"}]}`:                   "Malformed JSON: *, in messages[0].body at offset 22.",
		`{"messages":[{"body":1,}]}`:                         "Malformed JSON: *, in messages[0] at offset 22.",
		`{1:2}`:                                              "Malformed JSON: *, at offset 1.",
		"\ufeff{}":                                           "Malformed JSON: *, at offset 0.",
		nested(MaxDepth + 1):                                 "The document nests deeper than 200, at offset 200.",
		`{"messages":[{"body":` + nested(MaxDepth-2) + `}]}`: "The document nests deeper than 200, at offset 218.",
		`{"` + strings.Repeat("x", 500) + `":x}`:             "Malformed JSON: *, in " + strings.Repeat("x", 120) + "… at offset 504.",
	} {
		var r Reader
		_, err := r.Posts([]byte(in))
		refused(t, in, err, want)
	}
}

func TestClaimTerms(t *testing.T) {
	for in, want := range map[string][2]*int64{
		`{}`:                                     {},
		`{"ttl":60,"grace":-5}`:                  {integer(60), integer(-5)},
		`{"ttl":null,"grace":null,"limit":[{}]}`: {},
		`{"ttl":1,"ttl":null}`:                   {},
	} {
		var r Reader
		ttl, grace, err := r.ClaimTerms([]byte(in))
		if diff := cmp.Diff(want, [2]*int64{ttl, grace}); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", in, err, diff)
		}
	}
	for in, want := range map[string]string{
		`[]`:              "The document must be an object, not an array.",
		`{"ttl":"60"}`:    "ttl must be an integer, not a string.",
		`{"grace":60.0}`:  "grace must be an integer, without fraction and exponent.",
		`{"ttl":true}`:    "ttl must be an integer, not a boolean.",
		`{"ttl":60} true`: "There is text behind the JSON document, at offset 11.",
	} {
		var r Reader
		_, _, err := r.ClaimTerms([]byte(in))
		refused(t, in, err, want)
	}
}

func TestMetadata(t *testing.T) {
	var r Reader
	m, err := r.Metadata([]byte(` {"b": 1.0, "a": {"x.y": [null]}, "b": 2} `))
	if err != nil || string(m.JSON()) != `{"b":2,"a":{"x.y": [null]}}` {
		t.Errorf("%s, %v", m.JSON(), err)
	}
	for in, want := range map[string]string{
		`[]`:                             "The document must be an object, not an array.",
		`{"a":1`:                         "Malformed JSON: the document ends too early, at offset 6.",
		`{"a":1}]`:                       "There is text behind the JSON document, at offset 7.",
		`{"a":` + nested(MaxDepth) + `}`: "The document nests deeper than 200, at offset 204.",
	} {
		_, err := r.Metadata([]byte(in))
		refused(t, in, err, want)
	}
}

func TestPatch(t *testing.T) {
	var r Reader
	got, err := r.Patch([]byte(`[{"op":"add","path":"/metadata/ a~1~0 ","value":{"x":1.0},"more":1}, {"path":"/MetaData/b","value":3,"op":"remove"},
		{"op":"replace","path":"/metadata/c","value":null}]`))
	want := []broker.PatchOp{
		{Op: "add", Key: "a/~", Value: []byte(`{"x":1.0}`)}, {Op: "remove", Key: "b"}, {Op: "replace", Key: "c", Value: []byte("null")}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if ops, err := r.Patch([]byte("[]")); err != nil || ops == nil || len(ops) != 0 {
		t.Errorf("[]: %v, %v", ops, err)
	}
}

func TestPatchRefused(t *testing.T) {
	add := func(path string) string { return `[{"op":"add","value":1,"path":"` + path + `"}]` }
	form := `[0] has a wrong "path": it must have the form /metadata/<key>.`
	empty := `[0] has a wrong "path": a segment is empty.`
	for in, want := range map[string]string{
		`{}`:                                   "The document must be an array, not an object.",
		`[1]`:                                  "[0] must be an object, not a number.",
		`[{}]`:                                 `[0] lacks the member "op".`,
		`[{"op":1}]`:                           "[0].op must be a string, not a number.",
		`[{"op":"test"}]`:                      `[0] has an unknown "op": it must be add, remove or replace.`,
		`[{"op":"add"}]`:                       `[0] lacks the member "path".`,
		`[{"op":"add","path":null,"value":1}]`: "[0].path must be a string, not null.",
		`[{"op":"add","path":"/metadata/a"}]`:  `[0] lacks the member "value".`,
		`[{"op":"remove","path":"/metadata/a"}] x`: "There is text behind the JSON document, at offset 39.",
		add("metadata/a"):                          `[0] has a wrong "path": it must start with a slash.`,
		add(""):                                    `[0] has a wrong "path": it must start with a slash.`,
		add("/"):                                   form,
		add("/a"):                                  form,
		add("/metadata"):                           form,
		add("/metadata/a/b"):                       form,
		add("/metadata/a/"):                        form,
		add("/foo/a"):                              form,
		add("//metadata/a"):                        form,
		add("/metadata/"):                          empty,
		add("/metadata/  "):                        empty,
		add("/ /a"):                                empty,
		add("/metadata/a~"):                        `[0] has a wrong "path": a tilde must be followed by 0 or 1.`,
		add("/metadata/~2"):                        `[0] has a wrong "path": a tilde must be followed by 0 or 1.`,
	} {
		var r Reader
		_, err := r.Patch([]byte(in))
		refused(t, in, err, want)
	}
}

func TestPurge(t *testing.T) {
	for in, want := range map[string]broker.Purge{
		`{"resource_types":[]}`:                               {},
		`{"resource_types":["messages"],"x":1}`:               {Messages: true},
		`{"resource_types":["subscriptions","messages"]}`:     {Messages: true, Subscriptions: true},
		`{"resource_types":["messages"],"resource_types":[]}`: {},
		`{"resource_types":["messages","messages"]}`:          {Messages: true},
	} {
		var r Reader
		got, err := r.Purge([]byte(in))
		if got != want || err != nil {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		`{}`:                         `resource_types is missing.`,
		`{"resource_types":null}`:    "resource_types must be an array, not null.",
		`{"resource_types":["x"]}`:   "resource_types[0] must be messages or subscriptions.",
		`{"resource_types":[["x"]]}`: "resource_types[0] must be a string, not an array.",
		`["messages"]`:               "The document must be an object, not an array.",
	} {
		var r Reader
		_, err := r.Purge([]byte(in))
		refused(t, in, err, want)
	}
}

// TestPool makes sure that a pool keeps small buffers alone,
// and that what it gives out is empty.
func TestPool(t *testing.T) {
	var p Pool
	for range 10 {
		s := p.Get()
		if len(s.In)+len(s.Out) > 0 || cap(s.In) > keep || cap(s.Out) > keep || s.raw != nil {
			t.Fatalf("not empty or too large: %d/%d, %d/%d", len(s.In), cap(s.In), len(s.Out), cap(s.Out))
		}
		s.In = append(s.In, make([]byte, keep+1)...)
		s.Out = append(s.Out, `{"messages":[{"body":1}]}`...)
		if _, err := s.Posts(s.Out); err != nil {
			t.Fatal(err)
		}
		p.Put(s)
	}
}

// taken reports whether a document was read. It may be if it is JSON; otherwise
// it is the client's mistake.
func taken(t *testing.T, raw []byte, err error) bool {
	t.Helper()
	switch {
	case err != nil && !errors.Is(err, messaging.Invalid):
		t.Fatalf("error %v", err)
	case err == nil && !json.Valid(raw):
		t.Fatal("malformed JSON is accepted")
	}
	return err == nil
}

func FuzzPosts(f *testing.F) {
	for _, seed := range []string{`{"messages":[{"body":1,"ttl":60,"delay":0}]}`, `{"messages":[{"body":{"a":[1.0,"\u00e9",null]}},{"body":-1e+9}]}`,
		`{"x":{"messages":1},"messages":[{"b\u006fdy":"\\"}]}`, nested(300), "{\"messages\":[{\"body\":\"\xff\"}]}", `{"messages":[{"body":9223372036854775808}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Reader
		posts, err := r.Posts(raw)
		if !taken(t, raw, err) {
			return
		}
		page := broker.Messages{}
		for _, p := range posts {
			page.List = append(page.List, messaging.Message{ID: "m", Body: p.Body})
		}
		out := AppendFound(nil, messaging.QueueRef{Name: "q"}, page)
		var shape struct{ Messages []struct{ Body any } }
		if err := json.Unmarshal(out, &shape); err != nil && !strings.Contains(err.Error(), "cannot unmarshal number") {
			t.Fatalf("the answer is malformed: %v: %s", err, out)
		}
	})
}

func FuzzPatch(f *testing.F) {
	for _, seed := range []string{`[{"op":"add","path":"/metadata/a~1b","value":{"x":1}}]`, `[{"op":"remove","path":"/METADATA/ a "}]`, `[]`, `[{"op":1}]`,
		`[{"op":"add","path":"/metadata/~","value":1}]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Reader
		ops, err := r.Patch(raw)
		if !taken(t, raw, err) {
			return
		}
		for _, op := range ops {
			if op.Key == "" || op.Op != "remove" && !json.Valid(op.Value) || op.Op == "remove" && op.Value != nil {
				t.Fatalf("%+v", op)
			}
		}
	})
}

func FuzzQuota(f *testing.F) {
	for _, seed := range []string{`{"quota":{"queues":1,"topics":null}}`, `{"quota":{"queues":null,"queues":-1}}`, `{"x":[],"quota":{}}`,
		`{"quota":{"queues":1e3}}`, `{"quota":{"que\u0075es":9223372036854775808}}`, `{"quota":[]}`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Reader
		in, err := r.Quota(raw)
		if !taken(t, raw, err) {
			return
		}
		for _, l := range in.Unset {
			if _, both := in.Set[l]; both || !l.Known() {
				t.Fatalf("%+v", in)
			}
		}
		for l := range in.Set {
			if !l.Known() {
				t.Fatalf("%+v", in)
			}
		}
		if out := AppendDefaultQuota(nil, "p", in.Set); !json.Valid(out) {
			t.Fatalf("malformed: %s", out)
		}
	})
}

func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{`{"_default_message_ttl":60,"a":{"b":[1.0]}}`, `{"a":1,"a":2,"\u0061":3}`, `{}`, `[]`, `{"":null}`, " {\"\u00e9\":1}\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r Reader
		m, err := r.Metadata(raw)
		if !taken(t, raw, err) {
			return
		}
		if !json.Valid(m.JSON()) {
			t.Fatalf("malformed: %s", m.JSON())
		}
		again, err := r.Metadata(m.JSON())
		if err != nil || !bytes.Equal(again.JSON(), m.JSON()) {
			t.Fatalf("read again: %s, %v, want %s", again.JSON(), err, m.JSON())
		}
	})
}
