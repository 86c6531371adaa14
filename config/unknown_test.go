package config

import (
	"strings"
	"testing"
)

func TestUnknownIsWarnedAbout(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[DEFAULT]\ndebgu = 1", "debgu: no such key; it is ignored; did you mean debug?"},
		{"[DEFAULT]\nDebug = 1", "did you mean debug?"},
		{"[DEFAULT]\nadmin-mode = 1", "did you mean admin_mode?"},
		{"[DEFAULT]\nmax_message_ttl = 60", "it belongs into [transport]"},
		{"[DEFAULT]\nzzz = 60", "zzz: no such key; it is ignored"},
		{"[transport]\nmax_message_tll = 60", "did you mean max_message_ttl?"},
		{"[Transport]\nmax_message_ttl = 60", "[Transport] no such section; it is ignored; did you mean [transport]?"},
		{"[drivers:transport:wsig]\nport = 1", "did you mean [drivers:transport:wsgi]?"},
		{"[cors.dashboard]\nallowed_origin = *", "[cors.dashboard] no such section"},
		{"[drivers:storage:redis]\nuri = x", "has had no effect for years"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, r := load(t, c.text)
			only(t, r, Warning, c.want)
			if len(r.Errors()) > 0 {
				t.Errorf("%s", r)
			}
		})
	}
}

func TestUnknownSectionIsReportedOnce(t *testing.T) {
	_, r := load(t, "[database]\na = 1\nb = 2\n[DEFAULT]\n[database]\nc = 3")
	only(t, r, Warning, ":1", "[database]")
}

func TestNothingFarFetchedIsSuggested(t *testing.T) {
	_, r := load(t, "[DEFAULT]\nworkers = 4")
	if f := only(t, r, Warning); strings.Contains(f.Text, "did you mean") {
		t.Error(f)
	}
}
