package signed_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"zaqar/auth/signed"
	"zaqar/messaging"
)

const project = "518b51ea133c4facadae42c328d6b77b"

var now = time.Date(2031, 5, 4, 10, 0, 0, 0, time.UTC)

// vector is the test vector of http-v2 §7.9.
func vector() (signed.Grant, string) {
	return signed.Grant{
		Project: project,
		Paths:   []string{"/v2/queues/sq/messages"},
		Methods: []string{"POST", "GET"},
		Expires: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
	}, "3e17855ededc713e1a9f0c440df2534e6a08a8adedcfbb5dc352589623db6408"
}

func TestSign(t *testing.T) {
	grant, want := vector()
	got, err := signed.NewKeys("secret").Sign(grant)
	if err != nil || got != want {
		t.Errorf("signature %s, %v, want %s", got, err, want)
	}
	if grant.Methods[0] != "POST" {
		t.Error("signing sorted the caller's list")
	}
}

// The vectors of notifications §12.1: of signatures in confirmations.
func TestVectors(t *testing.T) {
	for _, c := range []struct{ key, paths, methods, project, expires, want string }{
		{"test", "/v2/queues/shared/messages", "GET", "None", "2100-05-31T17:00:17", "62e7ad71a837c6d02b627350c1ed0f46a16759b783ff9ace4ac3553ccb309444"},
		{"secret", "/v2/queues/q1/subscriptions/57692ab13990b48c644bb7e6/confirm", "PUT", "p1", "2100-01-01T00:00:00", "bd9920e5c572f65d5ae6619c49458481edf90af30be79761812f32fbe7d0a9f5"},
		{"secret", "/v2/queues/q1/messages /v2/queues/q1/claims", "POST GET", "p1", "2100-01-01T00:00:00", "383d27a143e5bf383ca8da73219d41255a1705ffc54cc9c0e736a6541e9d046f"},
	} {
		expires, err := signed.ParseInstant(c.expires)
		if err != nil {
			t.Fatal(err)
		}
		g := signed.Grant{Project: messaging.Project(c.project), Paths: strings.Fields(c.paths), Methods: strings.Fields(c.methods), Expires: expires}
		if got, err := signed.NewKeys(c.key).Sign(g); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", c.paths, got, err, c.want)
		}
	}
}

// TestSignaturesOfTheOriginal has what Zaqar 15.0.0 answered to posts to
// /v2/queues/th.q/share.
func TestSignaturesOfTheOriginal(t *testing.T) {
	for _, c := range []struct {
		methods, parts, expires, want string
	}{
		{"GET", "messages", "2037-05-01T00:00:00", "239e5e49781b5e038bd91ea8b395741ed78cc5dfba2565bb5ec0a2326f6aeec8"},
		{"GET", "messages", "2037-05-06T06:08:09", "dea4946d89bc4a90cc456bb525f4f8f1c5b36e369422d469c92697e2666b1185"},
		{"GET POST DELETE", "subscriptions messages claims", "2037-05-06T07:08:09", "4f1112a32973bc3fc2712847d190ee12ed5934997ca35e32222769c1fd5cc216"},
		{"get GET", "messages messages", "2037-05-06T00:00:00", "9b5ea0244a3d6790d8435b68917bff903fba00161e9ac40f68d19ee34a182d6b"},
	} {
		grant := signed.Grant{Project: "proj.x 1", Methods: strings.Fields(c.methods)}
		for part := range strings.FieldsSeq(c.parts) {
			grant.Paths = append(grant.Paths, "/v2/queues/th.q/"+part)
		}
		var err error
		if grant.Expires, err = signed.ParseInstant(c.expires); err != nil {
			t.Fatal(err)
		}
		if got, err := signed.NewKeys("key of the test").Sign(grant); err != nil || got != c.want {
			t.Errorf("%s %s: %s, %v, want %s", c.methods, c.parts, got, err, c.want)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	good, _ := vector()
	for name, change := range map[string]func(*signed.Grant){
		"no project":           func(g *signed.Grant) { g.Project = "" },
		"separator in project": func(g *signed.Grant) { g.Project = `a\n2036-01-01T00:00:00` },
		"separator in method":  func(g *signed.Grant) { g.Methods = []string{`GET\nvictim`} },
		"comma in method":      func(g *signed.Grant) { g.Methods = []string{"GET,DELETE"} },
		"empty method":         func(g *signed.Grant) { g.Methods = []string{""} },
		"separator in path":    func(g *signed.Grant) { g.Paths = []string{`/v2/queues/q/messages\nGET`} },
		"comma in path":        func(g *signed.Grant) { g.Paths = []string{"/v2/queues/a/messages,/v2/queues/b/messages"} },
		"empty path":           func(g *signed.Grant) { g.Paths = []string{""} },
	} {
		grant := good
		change(&grant)
		if s, err := signed.NewKeys("secret").Sign(grant); !errors.Is(err, messaging.Invalid) || s != "" {
			t.Errorf("%s: %q, %v", name, s, err)
		}
	}
	for _, keys := range []*signed.Keys{signed.NewKeys(), signed.NewKeys("", "")} {
		if s, err := keys.Sign(good); !errors.Is(err, messaging.Unsupported) || s != "" {
			t.Errorf("without a key: %q, %v", s, err)
		}
	}
}

// presented is the vector as a request presents it.
func presented() signed.Presented {
	grant, signature := vector()
	return signed.Presented{Project: project, Signature: signature, Expires: "2036-01-01T00:00:00", Methods: "GET,POST", Paths: grant.Paths[0]}
}

func TestOpen(t *testing.T) {
	keys := signed.NewKeys("secret")
	const path = "/v2/queues/sq/messages"
	for _, c := range []struct {
		name   string
		change func(*signed.Presented)
		method string
		path   string
		now    time.Time
		want   bool
	}{
		{name: "as granted", want: true},
		{name: "the other method", method: "POST", want: true},
		{name: "methods in another order", change: func(p *signed.Presented) { p.Methods = "POST,GET" }, want: true},
		{name: "below the path", path: path + "/51c27d7d-4fa2-4a4e-b1a1-3f1d6b7a4c1e", want: true},
		{name: "deeper below the path", path: path + "/x/confirm", want: true},
		{name: "the instant with Z", change: func(p *signed.Presented) { p.Expires = "2036-01-01T00:00:00Z" }, want: true},
		{name: "the instant elsewhere", change: func(p *signed.Presented) { p.Expires = "2036-01-01T02:00:00+02:00" }, want: true},
		{name: "the last second", now: time.Date(2035, 12, 31, 23, 59, 59, 0, time.UTC), want: true},

		{name: "expired", now: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)},
		{name: "method not granted", method: "DELETE"},
		{name: "method in other letters", method: "get"},
		{name: "HEAD is not GET", method: "HEAD"},
		{name: "method added", method: "DELETE", change: func(p *signed.Presented) { p.Methods = "DELETE,GET,POST" }},
		{name: "methods with blanks", change: func(p *signed.Presented) { p.Methods = "GET, POST" }},
		{name: "no methods", change: func(p *signed.Presented) { p.Methods = "" }},
		{name: "no paths", change: func(p *signed.Presented) { p.Paths = "" }},
		{name: "no instant", change: func(p *signed.Presented) { p.Expires = "" }},
		{name: "another instant", change: func(p *signed.Presented) { p.Expires = "2036-01-01T00:00:01" }},
		{name: "no instant at all", change: func(p *signed.Presented) { p.Expires = "never" }},
		{name: "no project", change: func(p *signed.Presented) { p.Project = "" }},
		{name: "another project", change: func(p *signed.Presented) { p.Project = "p2" }},
		{name: "no signature", change: func(p *signed.Presented) { p.Signature = "" }},
		{name: "upper case", change: func(p *signed.Presented) { p.Signature = strings.ToUpper(p.Signature) }},
		{name: "cut off", change: func(p *signed.Presented) { p.Signature = p.Signature[:63] }},
		{name: "more than the signature", change: func(p *signed.Presented) { p.Signature += "0" }},

		{name: "above", path: "/v2/queues/sq"},
		{name: "another queue", path: "/v2/queues/other/messages"},
		{name: "beside", path: "/v2/queues/sq/claims"},
		{name: "the name goes on", path: path + "2"},
		{name: "other letters", path: "/v2/queues/SQ/messages"},
		{name: "trailing slash", path: path + "/"},
		{name: "dots", path: path + "/.."},
		{name: "dots to another queue", path: path + "/../../other/messages"},
		{name: "a dot", path: path + "/./x"},
		{name: "empty segment", path: path + "//x"},
		{name: "leading slashes", path: "/" + path},
		{name: "an escaped letter", path: "/v2/queues/s%71/messages"},
		{name: "an escaped slash", path: path + "%2F.."},
		{name: "an escape below", path: path + "/%2e%2e"},
		{name: "in a prefix", path: "/prefix" + path},
		{name: "the root", path: "/"},
		{name: "nothing", path: "*"},
		{name: "paths added", path: "/v2/queues/other/messages", change: func(p *signed.Presented) { p.Paths += ",/v2/queues/other/messages" }},
		{name: "an empty path added", path: "/v2/queues/other/messages", change: func(p *signed.Presented) { p.Paths += "," }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := presented()
			if c.change != nil {
				c.change(&p)
			}
			method, at, when := "GET", path, now
			if c.method != "" {
				method = c.method
			}
			if c.path != "" {
				at = c.path
			}
			if !c.now.IsZero() {
				when = c.now
			}
			if got := keys.Open(p, method, at, when); got != c.want {
				t.Errorf("open = %v, want %v", got, c.want)
			}
		})
	}
}

// A dot in the name of a queue is no wildcard (http-v2 §17.1, D4).
func TestNamesAreNoPatterns(t *testing.T) {
	keys := signed.NewKeys("secret")
	grant, _ := vector()
	grant.Paths = []string{"/v2/queues/a.b/messages"}
	signature, err := keys.Sign(grant)
	if err != nil {
		t.Fatal(err)
	}
	p := presented()
	p.Signature, p.Paths = signature, grant.Paths[0]
	if !keys.Open(p, "GET", "/v2/queues/a.b/messages", now) || keys.Open(p, "GET", "/v2/queues/axb/messages", now) {
		t.Error("the grant does not open its queue alone")
	}
}

// Two grants that are different are not signed alike.
func TestPartsCannotMove(t *testing.T) {
	keys := signed.NewKeys("secret")
	p := presented()
	for _, moved := range []signed.Presented{
		{Project: p.Project, Paths: p.Paths + `\nGET,POST`, Methods: p.Project, Expires: p.Expires, Signature: p.Signature},
		{Project: `GET,POST\n` + p.Project, Paths: p.Paths, Methods: "", Expires: p.Expires, Signature: p.Signature},
		{Project: `POST\n` + p.Project, Paths: p.Paths, Methods: "GET", Expires: p.Expires, Signature: p.Signature},
	} {
		if keys.Open(moved, "GET", "/v2/queues/sq/messages", now) {
			t.Errorf("%+v opens", moved)
		}
	}
}

func TestRotation(t *testing.T) {
	grant, old := vector()
	keys := signed.NewKeys("new", "secret")
	if !keys.Open(presented(), "GET", grant.Paths[0], now) {
		t.Error("what the old key signed is refused")
	}
	fresh, err := keys.Sign(grant)
	if err != nil || fresh == old {
		t.Errorf("the old key signs: %s, %v", fresh, err)
	}
	p := presented()
	p.Signature = fresh
	if !keys.Open(p, "GET", grant.Paths[0], now) {
		t.Error("what the new key signed is refused")
	}
	keys.Set("new")
	if keys.Open(presented(), "GET", grant.Paths[0], now) || !keys.Open(p, "GET", grant.Paths[0], now) {
		t.Error("after the old key has gone, it is not the new one alone that counts")
	}
	keys.Set()
	if keys.Open(p, "GET", grant.Paths[0], now) {
		t.Error("a signature is right without any key")
	}
}

// An empty key is none: what it signs would be open to all.
func TestNoKey(t *testing.T) {
	grant, _ := vector()
	p := presented()
	for _, keys := range []*signed.Keys{signed.NewKeys(), signed.NewKeys(""), signed.NewKeys("", "")} {
		for _, signature := range []string{p.Signature, "", signed.MAC("", grant)} {
			p.Signature = signature
			if keys.Open(p, "GET", grant.Paths[0], now) {
				t.Errorf("%q opens", signature)
			}
		}
	}
}

func TestInstants(t *testing.T) {
	for text, want := range map[string]string{
		"2031-01-01": "2031-01-01T00:00:00", "2031-01-01T00:00:00": "2031-01-01T00:00:00", "2031-01-01T00:00:00Z": "2031-01-01T00:00:00",
		"2031-01-01T00:00:00+02:00": "2030-12-31T22:00:00", "2031-01-01T00:00:00-0230": "2031-01-01T02:30:00", "2031-01-01T00:00:00+02": "2030-12-31T22:00:00",
		"2031-01-01T00:00:00.999999": "2031-01-01T00:00:00", "2031-01-01T00:00:00,9Z": "2031-01-01T00:00:00", "2031-01-01 12:34:56": "2031-01-01T12:34:56",
		"20310101T000000": "2031-01-01T00:00:00", "20310101T123456Z": "2031-01-01T12:34:56", "2031-1-2": "2031-01-02T00:00:00",
		"2031-01-01T10:20": "2031-01-01T10:20:00", "2031-01-01T10": "2031-01-01T10:00:00", "2032-02-29": "2032-02-29T00:00:00",
		"9999-12-31T23:59:59": "9999-12-31T23:59:59", "2031-05": "2031-05-01T00:00:00",

		"": "", "wrong": "", "2036": "", "20310101": "", "2031-02-29": "", "2031-13-01": "", "2031-00-10": "", "2031-01-00": "",
		"2031-01-01T24:00:00": "", "2031-01-01T10:60:00": "", "2031-01-01T10:00:60": "", "2031-01-01T00:00:00z": "", "2031-01-01t00:00:00": "",
		"2031-01-01T00:00:00.": "", "2031-01-01T00:00:00+24:00": "", "2031-01-01T00:00:00+02:60": "", "2031-01-01Z": "", " 2031-01-01": "", "2031-01-01 ": "",
		"2031-01-01T00:00:00\n": "", "9999-12-31T23:59:59-01:00": "", "0000-01-01": "", "0001-01-01T00:00:00+01:00": "", "２031-01-01": "", "12031-01-01": "",
	} {
		got, err := signed.ParseInstant(text)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q is understood as %v", text, got)
		case want != "" && (err != nil || signed.FormatInstant(got) != want || got.Location() != time.UTC):
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
}

func FuzzInstant(f *testing.F) {
	for _, text := range []string{"2031-01-01", "20310101T000000Z", "2031-01-01T00:00:00.5+02:00", "9999-12-31T23:59:59-23:59", "0001-01-01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := signed.ParseInstant(text)
		if err != nil {
			return
		}
		again, err := signed.ParseInstant(signed.FormatInstant(got))
		if err != nil || !again.Equal(got) {
			t.Errorf("%q is %v, then %v, %v", text, got, again, err)
		}
	})
}

// FuzzOpen changes what is presented: nothing but another spelling of the same
// grant may pass.
func FuzzOpen(f *testing.F) {
	p := presented()
	f.Add(p.Project, p.Signature, p.Expires, p.Methods, p.Paths, "GET", "/v2/queues/sq/messages/x")
	f.Add(p.Project, p.Signature, "2036-01-01T01:00:00+01", "POST,GET", p.Paths, "POST", "/v2/queues/sq/messages")
	f.Add(p.Project, p.Signature, p.Expires, p.Methods, p.Paths, "GET", "/v2/queues/sq/messages/%2e%2e")
	f.Add(`GET\n`+p.Project, p.Signature, p.Expires, "POST", p.Paths, "GET", "/v2/queues/sq/messages/../x")
	keys := signed.NewKeys("secret")
	f.Fuzz(func(t *testing.T, project, signature, expires, methods, paths, method, path string) {
		if !keys.Open(signed.Presented{Project: project, Signature: signature, Expires: expires, Methods: methods, Paths: paths}, method, path, now) {
			return
		}
		at, err := signed.ParseInstant(expires)
		const granted = "/v2/queues/sq/messages"
		if project != p.Project || signature != p.Signature || err != nil || signed.FormatInstant(at) != p.Expires ||
			paths != p.Paths || methods != "GET,POST" && methods != "POST,GET" || method != "GET" && method != "POST" ||
			path != granted && !strings.HasPrefix(path, granted+"/") || strings.Contains(path, "%") || strings.Contains(path+"/", "/../") {
			t.Errorf("open: %q %q %q %q %q %q %q", project, signature, expires, methods, paths, method, path)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	p, keys := presented(), signed.NewKeys("secret")
	b.ReportAllocs()
	for b.Loop() {
		if !keys.Open(p, "GET", p.Paths, now) {
			b.Fatal("closed")
		}
	}
}
