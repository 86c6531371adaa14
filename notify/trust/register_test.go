package trust_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
)

func caller(user string) messaging.Caller {
	return messaging.Caller{Project: "p1", User: user, Token: "SECRETTOKEN-of-" + messaging.Secret(user)}
}

var (
	soon  = time.Date(2031, 5, 4, 11, 0, 0, 0, time.UTC)
	later = time.Date(2031, 5, 4, 12, 0, 0, 0, time.UTC)
)

const (
	here  = "trust+http://here.example"
	there = "trust+https://there.example"
	mine  = `{"a":1,"trust_id":"made-1","_trust_registered":true}`
)

// TestRegister has every way to come by a trust. made-1 is alice's, and was made
// here if the options say so.
func TestRegister(t *testing.T) {
	sub := func(subscriber, options string, expires time.Time) messaging.Subscription {
		return messaging.Subscription{Subscriber: subscriber, Options: []byte(options), Expires: expires}
	}
	for _, c := range []struct {
		name   string
		old    messaging.Subscription // none without a subscriber
		who    string
		next   messaging.Subscription
		want   string // options
		made   string // of the trust made-2; none if empty
		failed messaging.Kind
	}{
		{name: "new", who: "bob", next: sub(here, `{"a":1}`, soon), want: `{"a":1,"trust_id":"made-2","_trust_registered":true}`, made: "bob until 2031-05-04 11:00:00"},
		{name: "new, without options", who: "bob", next: sub(here, ``, soon), want: `{"trust_id":"made-2","_trust_registered":true}`, made: "bob until 2031-05-04 11:00:00"},
		{name: "new, the client's trust", who: "bob", next: sub(here, `{"trust_id":"of-bob","a":1}`, soon), want: `{"a":1,"trust_id":"of-bob"}`},
		{name: "new, claimed to be made here", who: "bob", next: sub(here, `{"trust_id":"of-bob","_trust_registered":true}`, soon), want: `{"trust_id":"of-bob"}`},
		{name: "new, somebody else's trust", who: "bob", next: sub(here, `{"trust_id":"of-alice"}`, soon), failed: messaging.Invalid},
		{name: "new, a trust made here for somebody else", who: "bob", next: sub(here, mine, soon), failed: messaging.Invalid},

		{name: "nothing new", old: sub(here, mine, soon), who: "bob", next: sub(here, mine, soon), want: mine},
		{name: "longer", old: sub(here, mine, soon), who: "alice", next: sub(here, mine, later), want: strings.Replace(mine, "-1", "-2", 1), made: "alice until 2031-05-04 12:00:00"},
		{name: "longer, by somebody else", old: sub(here, mine, soon), who: "bob", next: sub(here, mine, later), want: strings.Replace(mine, "-1", "-2", 1), made: "bob until 2031-05-04 12:00:00"},
		{name: "longer, the client's trust", old: sub(here, `{"trust_id":"of-alice"}`, soon), who: "bob", next: sub(here, `{"trust_id":"of-alice"}`, later), want: `{"trust_id":"of-alice"}`},
		{name: "longer than the client's trust", old: sub(here, `{"trust_id":"of-bob-soon"}`, soon), who: "bob", next: sub(here, `{"trust_id":"of-bob-soon"}`, later), want: `{"trust_id":"made-2","_trust_registered":true}`, made: "bob until 2031-05-04 12:00:00"},
		{name: "longer than somebody else's trust", old: sub(here, `{"trust_id":"of-alice-soon"}`, soon), who: "bob", next: sub(here, `{"trust_id":"of-alice-soon"}`, later), want: `{"trust_id":"of-alice-soon"}`},
		{name: "as long as the client's trust", old: sub(here, `{"trust_id":"of-bob-soon"}`, later), who: "bob", next: sub(here, `{"trust_id":"of-bob-soon"}`, soon), want: `{"trust_id":"of-bob-soon"}`},

		{name: "elsewhere, by somebody else", old: sub(here, mine, soon), who: "bob", next: sub(there, mine, soon), want: strings.Replace(mine, "-1", "-2", 1), made: "bob until 2031-05-04 11:00:00"},
		{name: "elsewhere, the client's trust, by somebody else", old: sub(here, `{"trust_id":"of-alice"}`, soon), who: "bob", next: sub(there, `{"trust_id":"of-alice"}`, soon), failed: messaging.Invalid},
		{name: "elsewhere, the client's trust, by the client", old: sub(here, `{"trust_id":"of-alice"}`, soon), who: "alice", next: sub(there, `{"trust_id":"of-alice"}`, soon), want: `{"trust_id":"of-alice"}`},
		{name: "other options, without the trust", old: sub(here, mine, soon), who: "bob", next: sub(here, `{"b":2}`, soon), want: `{"b":2,"trust_id":"made-2","_trust_registered":true}`, made: "bob until 2031-05-04 11:00:00"},
		{name: "other options, with the trust", old: sub(here, mine, soon), who: "bob", next: sub(here, `{"b":2,"trust_id":"made-1"}`, soon), want: `{"b":2,"trust_id":"made-2","_trust_registered":true}`, made: "bob until 2031-05-04 11:00:00"},
		{name: "other options, with another trust", old: sub(here, mine, soon), who: "bob", next: sub(here, `{"trust_id":"of-bob"}`, soon), want: `{"trust_id":"of-bob"}`},
		{name: "other options, with somebody else's trust", old: sub(here, mine, soon), who: "bob", next: sub(here, `{"trust_id":"of-alice"}`, soon), failed: messaging.Invalid},

		// Options of other subscribers were not looked at when they were stored.
		{name: "was http", old: sub("http://here.example", `{}`, soon), who: "bob", next: sub(here, `{}`, soon), want: `{"trust_id":"made-2","_trust_registered":true}`, made: "bob until 2031-05-04 11:00:00"},
		{name: "was http, with somebody else's trust", old: sub("http://here.example", mine, soon), who: "bob", next: sub(here, mine, soon), failed: messaging.Invalid},
		{name: "was http, with one's own", old: sub("http://here.example", mine, soon), who: "alice", next: sub(here, mine, soon), want: `{"a":1,"trust_id":"made-1"}`},
		{name: "had none", old: sub(here, `{}`, soon), who: "bob", next: sub(here, `{}`, soon), want: `{"trust_id":"made-2","_trust_registered":true}`, made: "bob until 2031-05-04 11:00:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 200)
			w.made["made-1"] = "alice until then"
			if c.old.Subscriber != "" {
				c.next.ID, c.old.ID = "s1", "s1"
				w.stored["s1"] = c.old
			}
			given := string(c.next.Options)
			err := w.Register(t.Context(), caller(c.who), &c.next)
			if c.failed != "" {
				if !errors.Is(err, c.failed) || string(c.next.Options) != given || len(w.made) != 1 {
					t.Errorf("%v, options %s, trusts %v", err, c.next.Options, w.made)
				}
				return
			}
			if err != nil || string(c.next.Options) != c.want || w.made["made-2"] != c.made {
				t.Errorf("%v, options %s, want %s; trusts %v", err, c.next.Options, c.want, w.made)
			}
		})
	}
}

func TestRegisterFails(t *testing.T) {
	w := newWorld(t, 200)
	w.fail(errors.New("down"))
	for _, options := range []string{`{}`, `{"trust_id":"of-bob"}`} {
		sub := messaging.Subscription{Subscriber: here, Options: []byte(options)}
		if err := w.Register(t.Context(), caller("bob"), &sub); !errors.Is(err, messaging.Unavailable) || string(sub.Options) != options {
			t.Errorf("%v, options %s", err, sub.Options)
		}
	}
	if err := w.Register(t.Context(), caller("bob"), &messaging.Subscription{ID: "gone", Subscriber: here}); !errors.Is(err, messaging.NotFound) {
		t.Errorf("%v", err)
	}
	if err := w.Register(t.Context(), caller("bob"), &messaging.Subscription{Subscriber: here, Options: []byte(`[]`)}); !errors.Is(err, messaging.Invalid) {
		t.Errorf("%v", err)
	}
}

// Only what was made here is removed, and nobody waits for that.
func TestUnregister(t *testing.T) {
	w := newWorld(t, 200)
	w.hold = make(chan struct{})
	for _, sub := range []messaging.Subscription{
		{Subscriber: here, Options: []byte(mine)},
		{Subscriber: here, Options: []byte(`{"trust_id":"of-alice"}`)},
		{Subscriber: here, Options: []byte(`{}`)},
		{Subscriber: "http://here.example", Options: []byte(strings.Replace(mine, "-1", "-9", 1))},
		{Subscriber: here, Options: []byte(`{"trust_id":"of-alice","_trust_registered":"true"}`)},
	} {
		if err := w.Unregister(t.Context(), &sub); err != nil {
			t.Error(err)
		}
	}
	close(w.hold)
	w.Close(t.Context())
	if !slices.Equal(w.removed, []string{"made-1"}) {
		t.Errorf("removed %v", w.removed)
	}
	if err := w.Unregister(t.Context(), &messaging.Subscription{Subscriber: here, Options: []byte(mine)}); err == nil {
		t.Error("a trust is to be removed after the end, and nobody is told that it stays")
	}
}

// With its trust, the tokens that were got for a subscription go.
func TestUnregisterForgetsTokens(t *testing.T) {
	w := newWorld(t, 200)
	for range 2 {
		if _, err := w.send("made-1"); err != nil {
			t.Fatal(err)
		}
		if err := w.Unregister(t.Context(), &messaging.Subscription{Subscriber: here, Options: []byte(mine)}); err != nil {
			t.Fatal(err)
		}
	}
	w.wantTokens("made-1-1", "made-1-2")
}

// Close does not wait for a Keystone that does not answer.
func TestCloseGivesUp(t *testing.T) {
	w := newWorld(t, 200)
	w.hold = make(chan struct{})
	for range 20 {
		if err := w.Unregister(t.Context(), &messaging.Subscription{Subscriber: here, Options: []byte(mine)}); err != nil {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.Close(ctx)
	if len(w.removed) != 0 || !strings.Contains(w.log.String(), "cannot be removed") {
		t.Errorf("removed %v; the log says %s", w.removed, w.log)
	}
}
