package messaging_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
)

func TestValidName(t *testing.T) {
	for _, name := range []string{"a", "Z", "0", "-", "_", "...", ".a", "Service.test_queue-1", strings.Repeat("n", 64)} {
		if !messaging.ValidName(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{"", ".", "..", "a b", "a@b", "a/b", "a~b", "é", "a\n", "a\x00", strings.Repeat("n", 65)} {
		if messaging.ValidName(name) {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestValidID(t *testing.T) {
	for _, id := range []string{"06cab28a0000000000000002", "a", "A-b_9", strings.Repeat("f", 64)} {
		if !messaging.ValidID(id) {
			t.Errorf("%q is refused", id)
		}
	}
	for _, id := range []string{"", "a.b", "; DROP", "a/b", "é", strings.Repeat("f", 65)} {
		if messaging.ValidID(id) {
			t.Errorf("%q is accepted", id)
		}
	}
}

// Errors of every kind are found through any wrapping, and so is their cause.
func TestErrorsTellKindAndCause(t *testing.T) {
	kinds := messaging.Kinds()
	for i, kind := range kinds {
		err := fmt.Errorf("outer: %w", messaging.Wrap(kind, "What happened.", fmt.Errorf("inner: %w", io.ErrUnexpectedEOF)))
		for j, other := range kinds {
			if errors.Is(err, other) != (i == j) {
				t.Errorf("an error of kind %q is %q: %v", kind, other, i != j)
			}
		}
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v lost its cause", err)
		}
		if want := "outer: " + string(kind) + ": What happened.: inner: unexpected EOF"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
		if bare := messaging.E(kind, ""); !errors.Is(bare, kind) || bare.Error() != string(kind) {
			t.Errorf("%q is not just its kind", bare)
		}
	}
}

func TestHasRole(t *testing.T) {
	who := messaging.Caller{Roles: []string{"Member", "admin"}}
	for role, want := range map[string]bool{"admin": true, "ADMIN": true, "member": true, "adm": false, "": false} {
		if who.HasRole(role) != want {
			t.Errorf("role %q: %v, want %v", role, !want, want)
		}
	}
}

func TestAgesAreWholeSecondsAndNeverNegative(t *testing.T) {
	posted := time.Unix(1000, 0)
	for after, want := range map[time.Duration]int64{-time.Hour: 0, 0: 0, 999 * time.Millisecond: 0, time.Second: 1, 90 * time.Minute: 5400} {
		now := posted.Add(after)
		m, c, s := messaging.Message{Posted: posted}, messaging.Claim{Renewed: posted}, messaging.Subscription{Created: posted}
		if m.Age(now) != want || c.Age(now) != want || s.Age(now) != want {
			t.Errorf("%v later: message %d, claim %d, subscription %d, want %d", after, m.Age(now), c.Age(now), s.Age(now), want)
		}
	}
}

// A secret stays one, whatever prints it and however deep it lies.
func TestSecret(t *testing.T) {
	who := messaging.Caller{User: "u", Token: "hush-hush"}
	var said strings.Builder
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		fmt.Fprintf(&said, format+"\n", who.Token)
		fmt.Fprintf(&said, format+"\n", who)
		fmt.Fprintf(&said, format+"\n", &who)
	}
	text, err := json.Marshal(who)
	if err != nil {
		t.Fatal(err)
	}
	said.Write(text)
	for _, h := range []slog.Handler{slog.NewTextHandler(&said, nil), slog.NewJSONHandler(&said, nil)} {
		slog.New(h).Info("called", "by", who, "pointer", &who, "token", who.Token)
	}
	for _, form := range []string{"hush", "68757368", "HUSH", "104"} {
		if strings.Contains(said.String(), form) {
			t.Errorf("the secret is told as %s:\n%s", form, said.String())
		}
	}
}
