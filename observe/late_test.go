package observe

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAccessRecordsWaitForCompany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l, err := Open(Config{Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		l.Access.Info("one")
		l.Access.Info("two")
		if out.Len() != 0 {
			t.Fatalf("written at once: %s", out.String())
		}
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
		if out.Len() < most {
			t.Errorf("%d bytes are written of what is more than %d", out.Len(), most)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// lines checks the messages written since the last call.
func lines(t *testing.T, out *bytes.Buffer, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(out.String()) {
		_, msg, _ := strings.Cut(line, "msg=")
		msg, _, _ = strings.Cut(strings.TrimSpace(msg), " ")
		got = append(got, msg)
	}
	out.Reset()
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("written are %v, want %v", got, want)
	}
}
