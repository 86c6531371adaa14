package rest

import (
	"net/http"
	"strings"
	"testing"

	"zaqar/messaging"
)

const canonical = "3381af92-2b9e-11e3-b191-71861300734c"

func TestClientIDs(t *testing.T) {
	strict := ClientIDs{MinLength: 10, MaxLength: 36}
	any := ClientIDs{AnyString: true, MinLength: 10, MaxLength: 36}
	long := ClientIDs{AnyString: true, MinLength: 1, MaxLength: messaging.MaxClientIDSize}
	for _, c := range []struct {
		rules  ClientIDs
		values []string
		want   messaging.ClientID // empty: refused
	}{
		{strict, nil, ""},
		{strict, []string{""}, ""},
		{strict, []string{"abc"}, ""},
		{strict, []string{canonical}, canonical},
		{strict, []string{"  " + canonical + "\t"}, canonical},
		{strict, []string{"3381AF922B9E11E3B19171861300734C"}, canonical},
		{strict, []string{"{3381af922b9e11e3b19171861300734c}"}, canonical},
		{strict, []string{"Urn:Uuid:" + canonical}, canonical},
		{strict, []string{canonical, "3381AF922B9E11E3B19171861300734C"}, canonical},
		{strict, []string{canonical, "30387f003b9e11e3b19171861300734d"}, ""},
		{strict, []string{canonical, ""}, ""},
		{strict, []string{"{" + canonical}, ""},
		{strict, []string{"x" + canonical[1:]}, ""},
		{strict, []string{"3381af92-2b9e-11e3-b19171861300734c-"}, ""},
		{strict, []string{"3381af922b9e-11e3-b191-71861300734c-"}, ""},
		{strict, []string{canonical + "\n"}, canonical},
		{any, []string{"0123456789"}, "0123456789"},
		{any, []string{"012345678"}, ""},
		{any, []string{strings.Repeat("é", 36)}, messaging.ClientID(strings.Repeat("é", 36))},
		{any, []string{strings.Repeat("x", 37)}, ""},
		{any, []string{"\xff123456789"}, ""},
		{long, []string{strings.Repeat("x", 255)}, messaging.ClientID(strings.Repeat("x", 255))},
		{long, []string{strings.Repeat("é", 128)}, ""},
		{any, []string{strings.ToUpper(canonical)}, canonical},
		{any, []string{"ABCDEFGHIJ"}, "ABCDEFGHIJ"},
		{any, []string{"{" + canonical + "}"}, ""},
	} {
		got, err := c.rules.parse(c.values)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v %q: %q, %v, want %q", c.rules, c.values, got, err, c.want)
		}
	}
}

func FuzzClientID(f *testing.F) {
	for _, seed := range []string{canonical, "{" + canonical + "}", "urn:uuid:" + canonical, "3381AF922B9E11E3B19171861300734C", "abc", "", "{}", "urn:uuid:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, rules := range []ClientIDs{{MinLength: 10, MaxLength: 36}, {AnyString: true, MinLength: 10, MaxLength: 36}} {
			id, err := rules.parse([]string{s})
			if err != nil {
				continue
			}
			again, err := rules.parse([]string{string(id)})
			if err != nil || again != id {
				t.Fatalf("%q is %q, which is %q, %v", s, id, again, err)
			}
		}
	})
}

func TestAccepts(t *testing.T) {
	for _, c := range []struct {
		headers []string
		want    bool
	}{
		{nil, true},
		{[]string{""}, true},
		{[]string{" , "}, true},
		{[]string{"application/json"}, true},
		{[]string{"Application/JSON; charset=utf-8"}, true},
		{[]string{"application/*"}, true},
		{[]string{"*/*"}, true},
		{[]string{"*"}, true},
		{[]string{"text/html, image/gif, *; q=.2, */*; q=.2"}, true},
		{[]string{"text/html", "application/json"}, true},
		{[]string{"application/xml"}, false},
		{[]string{"application/jsonx, applicatio/json"}, false},
		{[]string{"json"}, false},
		{[]string{"application/json-home"}, false},
		{[]string{"text/html, application/json;q=0.1"}, true},
		{[]string{"application/json;q=0"}, false},
		{[]string{"application/json; Q = 0.000, */*"}, false},
		{[]string{"application/*;q=0, */*"}, false},
		{[]string{"*/*;q=0"}, false},
		{[]string{"*/*;q=0, application/json"}, true},
		{[]string{"application/json;q=0, application/json;version=2"}, true},
		{[]string{"application/json;q=abc"}, true},
		{[]string{"application/json;q=2"}, true},
		{[]string{`text/plain;x="a,application/json"`}, false},
		{[]string{`text/plain;x="a\",application/json"`}, false},
		{[]string{`text/plain;x="a", application/json`}, true},
	} {
		if got := accepts(c.headers, "json"); got != c.want {
			t.Errorf("%q: %t", c.headers, got)
		}
	}
}

func FuzzAccept(f *testing.F) {
	for _, seed := range []string{"application/json", "*/*;q=0.1, text/html", `a/b;x="c,d"`, ";;,,==", "*;q=.2", "application/json;q=NaN"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		first := accepts([]string{header}, "json")
		if first != accepts([]string{header, ""}, "json") {
			t.Error("a blank header changes the answer")
		}
		if !accepts([]string{header, "application/json;q=1"}, "json") {
			t.Error("naming the type does not admit it")
		}
	})
}

func TestOpenIdentity(t *testing.T) {
	for _, c := range []struct {
		header http.Header
		want   messaging.Caller
		ok     bool
	}{
		{http.Header{}, messaging.Caller{}, true},
		{http.Header{"X-Project-Id": {" p "}, "X-Tenant-Id": {"t"}, "X-User-Id": {"u"}, "X-Roles": {"a, b,", "Admin"}},
			messaging.Caller{Project: "p", User: "u", Roles: []string{"a", "b", "Admin"}}, true},
		{http.Header{"X-Tenant-Id": {"t"}}, messaging.Caller{Project: "t"}, true},
		{http.Header{"X-Project-Id": {""}, "X-Tenant-Id": {"t"}}, messaging.Caller{}, true},
		{http.Header{"X-Project-Id": {"p", "p "}}, messaging.Caller{Project: "p"}, true},
		{http.Header{"X-Project-Id": {"p", "q"}}, messaging.Caller{}, false},
		{http.Header{"X-Tenant-Id": {"p", "q"}}, messaging.Caller{}, false},
		{http.Header{"X-User-Id": {"u", ""}}, messaging.Caller{}, false},
	} {
		who, err := Open{}.Identify(t.Context(), &http.Request{Header: c.header})
		if (err == nil) != c.ok {
			t.Errorf("%v: %v", c.header, err)
			continue
		}
		if err == nil && (who.Project != c.want.Project || who.User != c.want.User || strings.Join(who.Roles, "|") != strings.Join(c.want.Roles, "|")) {
			t.Errorf("%v: %+v, want %+v", c.header, who, c.want)
		}
	}
}
