package load

import (
	"strings"
	"testing"
	"time"
)

// TestAuditLeeway has what looks like a mistake of the server and may be none,
// beside the same where it is one.
func TestAuditLeeway(t *testing.T) {
	const second, minute = time.Second, time.Minute
	tests := []struct {
		name string
		l    *Ledger
		do   func(l *Ledger, at func(time.Duration) time.Time, left *Log)
		want string // in the error; empty: none
		got  func(a *Account) int
	}{
		{"expired", &Ledger{}, func(l *Ledger, at func(time.Duration) time.Time, left *Log) {
			g := l.Log()
			g.At(at(0))
			g.Life(minute)
			g.Posted(0, []byte("a"))
			left.At(at(minute))
		}, "", func(a *Account) int { return a.Expired }},
		{"not yet expired", &Ledger{}, func(l *Ledger, at func(time.Duration) time.Time, left *Log) {
			g := l.Log()
			g.At(at(second))
			g.Life(minute)
			g.Posted(0, []byte("a"))
			left.At(at(minute))
		}, "1 lost (a)", nil},
		{"lives for ever", &Ledger{}, func(l *Ledger, at func(time.Duration) time.Time, left *Log) {
			l.Log().Posted(0, []byte("a"))
			left.At(at(1000 * time.Hour))
		}, "1 lost (a)", nil},
		{"foreign", &Ledger{Shared: true}, func(l *Ledger, _ func(time.Duration) time.Time, left *Log) {
			g := l.Log()
			g.Listed(0, []byte("z"))
			g.Claimed(0, []byte("z"))
			g.Deleted(0, []byte("z"))
		}, "", func(a *Account) int { return a.Foreign }},
		{"foreign, twice", &Ledger{Shared: true}, func(l *Ledger, _ func(time.Duration) time.Time, left *Log) {
			l.Log().Claimed(0, []byte("z"))
			l.Log().Claimed(0, []byte("z"))
		}, "1 claimed twice (z)", nil},
		{"a phantom counts once", &Ledger{}, func(l *Ledger, _ func(time.Duration) time.Time, left *Log) {
			g := l.Log()
			g.Listed(0, []byte("z"))
			g.Claimed(0, []byte("z"))
		}, "1 never posted (z)", nil},
		{"posted without an answer", &Ledger{}, func(l *Ledger, _ func(time.Duration) time.Time, left *Log) {
			l.Log().MaybePosted(2)
			left.Listed(0, []byte("y"))
			left.Listed(0, []byte("z"))
		}, "", func(a *Account) int { return a.Unsure - 1 }},
		{"more than were posted without an answer", &Ledger{}, func(l *Ledger, _ func(time.Duration) time.Time, left *Log) {
			l.Log().MaybePosted(1)
			left.Listed(0, []byte("y"))
			left.Listed(0, []byte("z"))
		}, "1 never posted (y)", nil},
		{"deleted without an answer", &Ledger{}, func(l *Ledger, _ func(time.Duration) time.Time, left *Log) {
			g := l.Log()
			g.Posted(0, []byte("a"))
			g.Posted(0, []byte("b"))
			g.MaybeDeleted(0, []byte("a"))
			g.MaybeDeleted(0, []byte("b"))
			left.Listed(0, []byte("b"))
		}, "", func(a *Account) int { return a.Left }},
		{"claimed again in time", &Ledger{ClaimLife: minute}, func(l *Ledger, at func(time.Duration) time.Time, left *Log) {
			l.Log().Posted(0, []byte("a"))
			for _, d := range []time.Duration{minute, 0} { // in any order
				g := l.Log()
				g.At(at(d))
				g.Claimed(0, []byte("a"))
			}
			left.Listed(0, []byte("a"))
		}, "", func(a *Account) int { return a.Again }},
		{"claimed again too early", &Ledger{ClaimLife: minute}, func(l *Ledger, at func(time.Duration) time.Time, left *Log) {
			l.Log().Posted(0, []byte("a"))
			for _, d := range []time.Duration{0, minute - 1} {
				g := l.Log()
				g.At(at(d))
				g.Claimed(0, []byte("a"))
			}
			left.Listed(0, []byte("a"))
		}, "1 claimed twice (a)", nil},
		{"the body posted", &Ledger{}, bodies(1, 1, 1, 1), "", func(a *Account) int { return a.Left }},
		{"claimed with another body", &Ledger{}, bodies(1, 2, 1, 1), "1 with another body (a)", nil},
		{"listed with another body", &Ledger{}, bodies(1, 1, 2, 1), "1 with another body (a)", nil},
		{"left with another body", &Ledger{}, bodies(1, 1, 1, 2), "1 with another body (a)", nil},
		{"altered once, seen often", &Ledger{}, bodies(1, -1, -1, -1), "1 with another body (a)", nil},
		{"a reader stops early", &Ledger{}, gap("a b", "", 0), "", func(a *Account) int { return a.Left - 2 }},
		{"a reader skips", &Ledger{}, gap("a c", "", 0), "1 missed by a reader (b)", nil},
		{"a reader skips what was deleted", &Ledger{}, gap("a c", "b", 0), "", func(a *Account) int { return a.Deleted }},
		{"a reader skips what expired", &Ledger{}, gap("a c", "", time.Hour), "", func(a *Account) int { return a.Left - 2 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.l.Keeps = Keeps{Timed: true, Bodies: true}
			begun := time.Now()
			tt.l.Log() // the first one sets the beginning
			left := tt.l.Apart()
			tt.do(tt.l, func(d time.Duration) time.Time { return begun.Add(d) }, left)
			a, err := tt.l.Audit(left, time.Time{}, time.Time{})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want nothing", err)
			case tt.want != "" && (err == nil || !strings.HasSuffix(err.Error(), ": "+tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if tt.got != nil && tt.got(a) != 1 {
				t.Errorf("account %+v", a)
			}
		})
	}
}

// bodies posts, claims, lists and leaves a message with these bodies.
func bodies(posted, claimed, listed, left int16) func(*Ledger, func(time.Duration) time.Time, *Log) {
	return func(l *Ledger, _ func(time.Duration) time.Time, end *Log) {
		g := l.Log()
		for _, step := range []struct {
			body  int16
			enter func(int, []byte)
		}{{posted, g.Posted}, {claimed, g.Claimed}, {listed, g.Listed}} {
			g.Body(step.body)
			step.enter(0, []byte("a"))
		}
		end.Body(left)
		end.Listed(0, []byte("a"))
	}
}

// gap posts a, b and c, and has a reader list some of them.
func gap(listed, deleted string, later time.Duration) func(*Ledger, func(time.Duration) time.Time, *Log) {
	return func(l *Ledger, at func(time.Duration) time.Time, left *Log) {
		g := l.Log()
		g.At(at(0))
		g.Life(time.Minute)
		for _, id := range []string{"a", "b", "c"} {
			g.Posted(0, []byte(id))
			if id != deleted {
				left.Listed(0, []byte(id))
			}
		}
		if deleted != "" {
			g.Deleted(0, []byte(deleted))
		}
		left.At(at(later))
		reader := l.Log()
		reader.Gapless = true
		for id := range strings.FieldsSeq(listed) {
			reader.Listed(0, []byte(id))
		}
	}
}
