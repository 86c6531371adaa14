package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDict(t *testing.T) {
	for _, c := range []struct {
		text string
		want []pair // nil: refused
	}{
		{"a:x", []pair{{"a", "x"}}},
		{"a:x,b:y", []pair{{"a", "x"}, {"b", "y"}}},
		{" a : x , b : y ", []pair{{"a", "x"}, {"b", "y"}}},
		{"a:x:y", []pair{{"a", "x:y"}}},
		{`a:"x,y:z",b:'p,q'`, []pair{{"a", "x,y:z"}, {"b", "p,q"}}},
		{`a: "x" , b:y`, []pair{{"a", "x"}, {"b", "y"}}},
		{"a:", []pair{{"a", ""}}},
		{"a:x,", []pair{{"a", "x"}}},
		{"b:1,a:2", []pair{{"b", "1"}, {"a", "2"}}},
		{"a", nil}, {"a,b:x", nil}, {":x", nil}, {`a:"x`, nil}, {`a:"x"y`, nil}, {"a:x,a:y", nil},
	} {
		got, err := dict().parse(c.text)
		if c.want == nil {
			if err == nil {
				t.Errorf("%q is read as %v", c.text, got)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q is refused", c.text)
		}
		if d := cmp.Diff(c.want, got, cmp.AllowUnexported(pair{})); d != "" {
			t.Errorf("%q: %s", c.text, d)
		}
	}
}

func TestHost(t *testing.T) {
	for text, want := range map[string]string{ // empty: refused
		"127.0.0.1": "127.0.0.1", "::1": "::1", "[::1]": "::1", "[FE80::1%eth0]": "fe80::1%eth0", "api.example.": "api.example.",
		"[::1": "", "::1]": "", "[[::1]]": "", "[": "", "[]": "", "fe80::1%a]": "", "fe80::1%a]]": "", "fe80::1%]]": "", "fe80::1%[a": "", "1.2.3": "",
	} {
		if got, err := host().parse(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q is read as %q, %v", text, got, err)
		}
	}
}

func FuzzValues(f *testing.F) {
	for _, s := range []string{"", "a:x,b:'y,z'", "1", "True", "127.0.0.1", "[::1]", "a,b,,c", "::1,10.0.0.0/8", `a:"x`, "1e3", "-0", "fe80::1%a]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		roundTrip(t, s, boolean())
		roundTrip(t, s, whole[int64](0, maxInt))
		roundTrip(t, s, decimal())
		roundTrip(t, s, port())
		roundTrip(t, s, host())
		roundTrip(t, s, list())
		roundTrip(t, s, networks())
		_, _ = dict().parse(s)
	})
}

// roundTrip has what is accepted written and read again.
func roundTrip[T any](t *testing.T, s string, k kind[T]) {
	t.Helper()
	v, err := k.parse(s)
	if err != nil {
		return
	}
	again, err := k.parse(k.format(v))
	if err != nil {
		t.Fatalf("%q is read as %v, whose text %q is refused", s, v, k.format(v))
	}
	if d := cmp.Diff(v, again, prefixes()); d != "" {
		t.Fatalf("%q: %s", s, d)
	}
}
