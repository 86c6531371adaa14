package ini

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	type kv struct {
		Section, Key, Value string
		Line                int
	}
	for name, c := range map[string]struct {
		text string
		want []kv
	}{
		"equals sign":                         {"[a]\nk = v", []kv{{"a", "k", "v", 2}}},
		"colon":                               {"[a]\nk: v", []kv{{"a", "k", "v", 2}}},
		"no blanks":                           {"[a]\nk=v\nl:w", []kv{{"a", "k", "v", 2}, {"a", "l", "w", 3}}},
		"first separator wins: =":             {"[a]\nuri = redis://h:6379", []kv{{"a", "uri", "redis://h:6379", 2}}},
		"first separator wins: :":             {"[a]\nuri: mongodb://h?w=1", []kv{{"a", "uri", "mongodb://h?w=1", 2}}},
		"section with colons":                 {"[drivers:message_store:redis]\nk=v", []kv{{"drivers:message_store:redis", "k", "v", 2}}},
		"section names keep case":             {"[A]\nk=1\n[a]\nk=2", []kv{{"A", "k", "1", 2}, {"a", "k", "2", 4}}},
		"section again":                       {"[a]\nk=1\n[b]\nk=2\n[a]\nk=3", []kv{{"a", "k", "1", 2}, {"b", "k", "2", 4}, {"a", "k", "3", 6}}},
		"comments in column one":              {"# c\n; d\n[a]\n#k=1\n;k=2\nk=3", []kv{{"a", "k", "3", 6}}},
		"no trailing comments":                {"[a]\nk = v # c ; d", []kv{{"a", "k", "v # c ; d", 2}}},
		"continued":                           {"[a]\nk = one\n  two\n\tthree\nl = x", []kv{{"a", "k", "one\ntwo\nthree", 2}, {"a", "l", "x", 5}}},
		"continued after empty":               {"[a]\nk =\n  one\n  two", []kv{{"a", "k", "\none\ntwo", 2}}},
		"continuation may look like anything": {"[a]\nk = one\n # c\n [b]\n l=2", []kv{{"a", "k", "one\n# c\n[b]\nl=2", 2}}},
		"blank line ends a value":             {"[a]\nk = one\n\nl = two", []kv{{"a", "k", "one", 2}, {"a", "l", "two", 4}}},
		"header ends a value":                 {"[a]\nk = one\n[b]\nl = two", []kv{{"a", "k", "one", 2}, {"b", "l", "two", 4}}},
		"double quotes":                       {"[a]\nk = \"  v \"", []kv{{"a", "k", "  v ", 2}}},
		"single quotes":                       {"[a]\nk = 'v'", []kv{{"a", "k", "v", 2}}},
		"only one pair of quotes":             {"[a]\nk = ''v''", []kv{{"a", "k", "'v'", 2}}},
		"quotes must match":                   {"[a]\nk = \"v'", []kv{{"a", "k", "\"v'", 2}}},
		"quotes within stay":                  {"[a]\nk = a \"b\" c", []kv{{"a", "k", "a \"b\" c", 2}}},
		"a lone quote stays":                  {"[a]\nk = \"", []kv{{"a", "k", "\"", 2}}},
		"quotes around several lines":         {"[a]\nk = 'one\n  two'", []kv{{"a", "k", "one\ntwo", 2}}},
		"empty value":                         {"[a]\nk =\nl:", []kv{{"a", "k", "", 2}, {"a", "l", "", 3}}},
		"repeated key":                        {"[a]\nk = 1\nk = 2", []kv{{"a", "k", "1", 2}, {"a", "k", "2", 3}}},
		"blanks in a key":                     {"[a]\nan odd key = 1", []kv{{"a", "an odd key", "1", 2}}},
		"windows line ends":                   {"[a]\r\nk = one\r\n  two\r\n", []kv{{"a", "k", "one\ntwo", 2}}},
		"byte order mark":                     {"\ufeff[a]\nk = v", []kv{{"a", "k", "v", 2}}},
		"dollar signs stay":                   {"[a]\nk = $$x$y", []kv{{"a", "k", "$$x$y", 2}}},
		"empty file":                          {"", nil},
		"other scripts":                       {"[a]\nk = ключ", []kv{{"a", "k", "ключ", 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			f, errs := Parse(strings.NewReader(c.text), "f")
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			var got []kv
			for _, e := range f.Entries {
				got = append(got, kv{e.Section, e.Key, e.Value, e.Line})
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestBadLinesAreNamedAllAtOnce(t *testing.T) {
	text := strings.Join([]string{
		"k = 1",           // 1: before any section
		"[a",              // 2
		"[]",              // 3
		"[a] # comment",   // 4
		"[good]",          // 5
		"nonsense",        // 6
		"  more nonsense", // 7: belongs to line 6, reported once
		"= v",             // 8
		"k = v",           // 9
		"",                // 10
		"  continuation",  // 11
		"l = \xff",        // 12
	}, "\n")
	f, errs := Parse(strings.NewReader(text), "x.conf")
	var lines []int
	for _, err := range errs {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%T is no *Error", err)
		}
		if e.File != "x.conf" || !strings.HasPrefix(err.Error(), "x.conf:") {
			t.Errorf("%v does not name the file", err)
		}
		lines = append(lines, e.Line)
	}
	if d := cmp.Diff([]int{1, 2, 3, 4, 6, 8, 11, 12}, lines); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Entry{{Pos{"x.conf", 9}, "good", "k", "v"}}, f.Entries); d != "" {
		t.Error(d)
	}
}

func TestReadErrorIsReported(t *testing.T) {
	_, errs := Parse(iotest.ErrReader(errors.New("disk on fire")), "f")
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "disk on fire") {
		t.Error(errs)
	}
}

func TestHeadersAreKept(t *testing.T) {
	f, _ := Parse(strings.NewReader("[a]\n[b]\n"), "f")
	want := []Entry{{Pos: Pos{"f", 1}, Section: "a"}, {Pos: Pos{"f", 2}, Section: "b"}}
	if d := cmp.Diff(want, f.Headers); d != "" {
		t.Error(d)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "[a]\nk=v", "[a]\nk: 'v'\n  w\n\nl=", "k=v\n[", "\ufeff;\n#\n[]\n \n\t=:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, errs := Parse(strings.NewReader(text), "f")
		lines := strings.Count(text, "\n") + 1
		last := 0
		for _, e := range file.Entries {
			if e.Line <= last || e.Line > lines {
				t.Fatalf("entry at line %d after line %d of %d", e.Line, last, lines)
			}
			if e.Key == "" || e.Section == "" || strings.TrimSpace(e.Key) != e.Key {
				t.Fatalf("odd entry %+v", e)
			}
			last = e.Line
		}
		if len(errs) > lines {
			t.Fatalf("%d errors on %d lines", len(errs), lines)
		}
	})
}
