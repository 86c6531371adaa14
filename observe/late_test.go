package observe

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAccessRecordsWaitForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out locked
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
		if n := len(out.take()); n < most {
			t.Errorf("%d bytes are written of what is more than %d", n, most)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// locked is a buffer that several goroutines may use.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take returns what was written since the last call.
func (l *locked) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}

// lines checks the messages written since the last call.
func lines(t *testing.T, out *locked, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(out.take()) {
		_, msg, _ := strings.Cut(line, "msg=")
		msg, _, _ = strings.Cut(strings.TrimSpace(msg), " ")
		got = append(got, msg)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("written are %v, want %v", got, want)
	}
}
