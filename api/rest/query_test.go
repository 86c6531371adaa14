package rest

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseQuery(raw string) (q query) {
	q.parse(raw)
	return q
}

func TestScalars(t *testing.T) {
	for raw, want := range map[string]string{
		"":               "",
		"a":              "",
		"a=":             "",
		"a=1":            "1",
		"a=1&a=2":        "2",
		"a=1,2":          "2",
		"a=1,2,":         "2",
		"a=1&a=,":        "1",
		"a=,":            "",
		"a=1%2C2":        "1,2",
		"a=x+y%20z":      "x y z",
		"a=%zz":          "%zz",
		"%61=1":          "1",
		"A=1":            "",
		"a=b=c":          "b=c",
		"&&a=1&":         "1",
		"a=1;b=2":        "1;b=2",
		"a=%F0%9F%98%80": "😀",
	} {
		q := parseQuery(raw)
		if got := q.text("a"); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestLists(t *testing.T) {
	for raw, want := range map[string][]string{
		"ids=a":           {"a"},
		"ids=a,b&ids=c":   {"a", "b", "c"},
		"ids=a%2Cb,,":     {"a", "b"},
		"ids=,":           nil,
		"ids=&ids=a":      {"a"},
		"x=1&ids=%20":     {" "},
		"ids=a&ids=a&x=2": {"a", "a"},
	} {
		q := parseQuery(raw)
		got, given := list[string](&q, "ids")
		if diff := cmp.Diff(want, got); diff != "" || !given {
			t.Errorf("%q: given %t (-want +got):\n%s", raw, given, diff)
		}
	}
	for _, raw := range []string{"", "ids", "ids=", "id=a"} {
		q := parseQuery(raw)
		if _, given := list[string](&q, "ids"); given {
			t.Errorf("%q: given", raw)
		}
	}
}

func TestInts(t *testing.T) {
	for raw, want := range map[string]int64{"n=3": 3, "n=%2B3": 3, "n=+3+": 3, "n=-3": -3, "n=%09007": 7, "n=9223372036854775807": 1<<63 - 1} {
		q := parseQuery(raw)
		if got := q.int("n"); got == nil || *got != want || q.err != nil {
			t.Errorf("%q: %v, %v", raw, got, q.err)
		}
	}
	for _, raw := range []string{"n=x", "n=1.0", "n=%20", "n=1_0", "n=0x1", "n=9223372036854775808", "n=1 2", "n=٣"} {
		q := parseQuery(raw)
		if got := q.int("n"); got != nil || q.err == nil {
			t.Errorf("%q: %v", raw, *got)
		}
	}
	q := parseQuery("n=9223372036854775807&m=-9223372036854775808")
	if n, m := q.count("n"), q.count("m"); *n != 1<<30 || *m != -1<<30 {
		t.Errorf("%d, %d", *n, *m)
	}
	if q.int("none") != nil || q.count("none") != nil || q.bool("none") || q.err != nil {
		t.Errorf("an absent parameter has a value, or fails: %v", q.err)
	}
}

// TestFirstErrorStays makes sure that several mistakes give one error.
func TestFirstErrorStays(t *testing.T) {
	q := parseQuery("a=x&b=y")
	q.int("a")
	first := q.err
	q.bool("b")
	if first == nil || q.err != first {
		t.Errorf("%v, then %v", first, q.err)
	}
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"limit=2&marker=a", "ids=a,b&ids=c", "x=%zz&%=1", "a=1&a=,", "n=+3", "b=%E9&;=;", "a=%2C"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q := parseQuery(raw)
		next := newNextPage(nil, "/v2/queues")
		for _, p := range q.pairs {
			if p.value == "" {
				t.Fatalf("a blank value of %q", p.name)
			}
			s, ok := q.scalar(p.name)
			if ok {
				next.add(p.name, s)
			}
			list, given := list[string](&q, p.name)
			if !given {
				t.Fatalf("%q is not given", p.name)
			}
			for _, element := range list {
				if element == "" {
					t.Fatalf("a blank element of %q", p.name)
				}
			}
			q.int(p.name)
			q.bool(p.name)
		}
		href := string(next.href("m"))
		u, err := url.Parse(href)
		if err != nil {
			t.Fatalf("the link %q: %v", href, err)
		}
		again := parseQuery(u.RawQuery)
		if got := again.text("marker"); got != "m" {
			t.Fatalf("the marker of %q is %q", href, got)
		}
		for _, p := range q.pairs {
			want, _ := q.scalar(p.name)
			if got, _ := again.scalar(p.name); p.name != "marker" && got != want {
				t.Fatalf("%s in %q is %q, want %q", strconv.Quote(p.name), href, got, want)
			}
		}
	})
}
