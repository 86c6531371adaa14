package rest_test

import (
	"os"
	"testing"

	"zaqar/api/wire/wiretest"
	"zaqar/messaging"
)

// TestGolden replays the golden cases over HTTP, each file on a server of its
// own.
func TestGolden(t *testing.T) {
	t.Run("memory", func(t *testing.T) { golden(t, openMemory) })
	t.Run("embedded", func(t *testing.T) { golden(t, openEmbedded) })
}

func golden(t *testing.T, open open) {
	description := loadOpenAPI(t)
	for _, f := range goldenFiles(t) {
		t.Run(f.Name, func(t *testing.T) {
			var changes []func(*setup)
			for _, name := range f.Settings {
				change := goldenSettings[name]
				if change == nil {
					t.Fatalf("unknown setting %s", name)
				}
				changes = append(changes, change)
			}
			s := newServer(t, open, changes...)
			captures := wiretest.Captures{}
			for _, x := range f.Exchanges {
				if !s.replay(x, captures, description) {
					t.FailNow() // what follows depends on it
				}
			}
		})
	}
}

func goldenFiles(t *testing.T) []wiretest.File {
	t.Helper()
	files, err := wiretest.Read(os.DirFS("../wire/testdata"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// goldenSettings are what @set can name.
var goldenSettings = map[string]func(*setup){
	"admin":               adminMode,
	"checksums":           checksums,
	"delete_needs_claims": deleteNeedsClaims,
	"keys":                withKey("k1"),
	"notifier":            func(set *setup) { set.notifier = new(notices) },
	"quotas": withQuotas(messaging.Limits{messaging.LimitQueues: 3, messaging.LimitTopics: 2,
		messaging.LimitMessages: 5, messaging.LimitMessageBytes: 100}),
	"signing": signing,
}

// replay plays one exchange and holds it against the expectation and against
// the description of the API.
func (s *server) replay(x wiretest.Exchange, captures wiretest.Captures, d *description) (ok bool) {
	s.t.Helper()
	s.clock.Advance(x.After)
	target, err := captures.Fill(x.Target)
	if err != nil {
		s.t.Errorf("line %d: %s: %v", x.Line, x.Name, err)
		return false
	}
	body, err := captures.Fill(x.Body)
	if err != nil {
		s.t.Errorf("line %d: %s: %v", x.Line, x.Name, err)
		return false
	}
	req := s.request(x.Method, target, body)
	for _, name := range x.Without {
		req.Header.Del(name)
	}
	for name, values := range x.Header {
		req.Header[name] = values
	}
	got := s.send(req)
	if err := captures.Match(x.Reply, got.status, got.header, got.body); err != nil {
		s.t.Errorf("line %d: %s: %v\n%.2000s", x.Line, x.Name, err, got.body)
		return false
	}
	if err := d.check(req, body, got); err != nil {
		s.t.Errorf("line %d: %s: not as described: %v", x.Line, x.Name, err)
		return false
	}
	return true
}
