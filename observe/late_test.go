package observe

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zaqar/internal/testlog"
)

func TestAccessRecordsWaitForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out testlog.Buffer
		l, err := Open(Config{Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		l.Access.Info("one")
		l.Access.Info("two")
		lines(t, &out)
		time.Sleep(latest)
		synctest.Wait()
		lines(t, &out, "one", "two")

		l.Access.Info("three")
		l.Warn("four")
		lines(t, &out, "three", "four")

		l.Access.Info("five")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		lines(t, &out, "five")

		for range most / 100 {
			l.Access.Info("six", slog.String("long", strings.Repeat("x", 100)))
		}
		synctest.Wait()
		if n := len(out.Take()); n < most {
			t.Errorf("%d bytes are written of what is more than %d", n, most)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// lines checks the messages written since the last call.
func lines(t *testing.T, out *testlog.Buffer, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(out.Take()) {
		_, msg, _ := strings.Cut(line, "msg=")
		msg, _, _ = strings.Cut(strings.TrimSpace(msg), " ")
		got = append(got, msg)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("written are %v, want %v", got, want)
	}
}

// stalled is a reader of the log that takes nothing until it is let go.
type stalled struct {
	bytes.Buffer
	gate chan struct{}
}

func (s *stalled) Write(p []byte) (int, error) {
	<-s.gate
	return s.Buffer.Write(p)
}

func TestStalledReaderHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stalled{gate: make(chan struct{})}
		l, err := Open(Config{Stdout: out})
		if err != nil {
			t.Fatal(err)
		}
		go l.Warn("first")
		time.Sleep(2 * patience) // it has given up waiting
		for range capacity / 1000 {
			l.Access.Info("more", slog.String("long", strings.Repeat("x", 1000)))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		close(out.gate)
		synctest.Wait()
		text := out.String()
		if !strings.Contains(text, "msg=first") || !strings.Contains(text, "dropped") {
			t.Errorf("the log begins %.80q and ends %q", text, text[max(0, len(text)-200):])
		}
		l.Warn("again")
		if !strings.HasSuffix(out.String(), "msg=again\n") {
			t.Error("nothing is written any more")
		}
	})
}

// full is a disk with so many bytes left.
type full struct {
	bytes.Buffer
	left int
}

func (f *full) Write(p []byte) (int, error) {
	n := min(len(p), f.left)
	f.left -= n
	f.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

var errFull = errors.New("no space left")

// TestTroubleIsToldOnce has a disk run full in the middle of a record, and
// somebody make room.
func TestTroubleIsToldOnce(t *testing.T) {
	disk := &full{left: len("one\ntw")}
	var told []error
	l := &late{w: disk, trouble: func(err error) { told = append(told, err) }}
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	disk.left = 100
	for _, line := range []string{"four\n", "five\n"} {
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := disk.String(), "one\ntw\nfour\nfive\n"; got != want {
		t.Errorf("written is %q, want %q", got, want)
	}
	if !slices.Equal(told, []error{errFull, nil}) {
		t.Errorf("told: %v", told)
	}
}
