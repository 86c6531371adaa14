package mail_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zaqar/internal/testwait"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/mail"
)

// script writes a script to be run in place of sendmail.
func script(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sendmail")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCommand has the mail on standard input, and arguments as they are: no
// shell expands them.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	path := script(t, `for a in "$@"; do echo "$a" >>"`+dir+`/arguments"; done; cat >"`+dir+`/mail"`)
	s := sender(t, mail.Config{Command: []string{path, "-t", "-oi", "$HOME", "*", "a'b"}})
	if _, err := s.Send(t.Context(), to("mailto:ops@example.org", delivery.Options{})); err != nil {
		t.Fatal(err)
	}
	arguments, _ := os.ReadFile(filepath.Join(dir, "arguments"))
	text, _ := os.ReadFile(filepath.Join(dir, "mail"))
	if string(arguments) != "-t\n-oi\n$HOME\n*\na'b\n" || string(text) != golden(t, "bare") {
		t.Errorf("arguments %q, mail\n%s", arguments, text)
	}
}

func TestCommandFails(t *testing.T) {
	for body, verdict := range map[string]notify.Verdict{
		"exit 1":                             notify.Retry,
		"exit 64":                            notify.Retry, // a mistake in the configuration
		"exit 65":                            notify.GiveUp,
		"exit 67":                            notify.GiveUp,
		"exit 69":                            notify.Retry,
		"exit 75":                            notify.Retry,
		"kill -9 $$":                         notify.Retry,
		"cat >/dev/null; echo no >&2; false": notify.Retry,
	} {
		_, err := sender(t, mail.Config{Command: []string{script(t, body)}}).Send(t.Context(), to("mailto:ops@example.org", delivery.Options{}))
		want(t, body, err, verdict)
	}
	_, err := sender(t, mail.Config{Command: []string{filepath.Join(t.TempDir(), "missing")}}).Send(t.Context(), to("mailto:ops@example.org", delivery.Options{}))
	want(t, "no such program", err, notify.Retry)
	// It takes the mail without reading it, and says more than anybody wants.
	large := to("mailto:ops@example.org", delivery.Options{})
	large.Document = []byte(`{"body": "` + strings.Repeat("x", 1<<20) + `"}`)
	if _, err := sender(t, mail.Config{Command: []string{script(t, "exit 0")}}).Send(t.Context(), large); err != nil {
		t.Error(err)
	}
	_, err = sender(t, mail.Config{Command: []string{script(t, "yes secret-noise | head -c 1000000 >&2; exit 1")}}).Send(t.Context(), large)
	want(t, "noise", err, notify.Retry)
	if err == nil || !strings.Contains(err.Error(), "secret-noise") || len(err.Error()) > 4096 {
		t.Errorf("the log gets %d bytes", len(err.Error()))
	}
}

// TestCommandKilled has a command that hangs with a child of its own: neither
// survives its time.
func TestCommandKilled(t *testing.T) {
	dir := t.TempDir()
	path := script(t, `echo $$ >"`+dir+`/parent"; sh -c 'echo $$ >"`+dir+`/child"; exec sleep 600' & wait`)
	child := filepath.Join(dir, "child") // written last
	began := func() bool {
		text, err := os.ReadFile(child)
		return err == nil && strings.HasSuffix(string(text), "\n")
	}
	ended := func(t *testing.T) {
		for _, who := range []string{"parent", "child"} {
			text, err := os.ReadFile(filepath.Join(dir, who))
			if err != nil {
				t.Fatal(err)
			}
			pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
			testwait.Until(t, "the "+who+" has ended", func() bool { return !alive(pid) })
		}
	}
	send := func(t *testing.T, ctx context.Context, timeout time.Duration) {
		_, err := sender(t, mail.Config{Command: []string{path}, Timeout: timeout}).Send(ctx, to("mailto:ops@example.org", delivery.Options{}))
		want(t, t.Name(), err, notify.Retry)
	}
	t.Run("timeout", func(t *testing.T) {
		for timeout := time.Second; !began(); timeout *= 2 { // a slow machine takes longer to start a shell
			if timeout > patience {
				t.Fatal("no shell started")
			}
			send(t, t.Context(), timeout)
		}
		ended(t)
	})
	t.Run("cancel", func(t *testing.T) {
		if err := os.Remove(child); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			testwait.Until(t, "the command runs", began)
			cancel()
		}()
		send(t, ctx, patience)
		ended(t)
	})
}

// alive reports whether a process runs: one that has ended and that nobody has
// waited for does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// What a command leaves behind in the background does not hold the mail up for
// ever, and the mail counts as taken.
func TestCommandInBackground(t *testing.T) {
	s := sender(t, mail.Config{Command: []string{script(t, "sleep 4 & exit 0")}})
	if _, err := s.Send(t.Context(), to("mailto:ops@example.org", delivery.Options{})); err != nil {
		t.Error(err)
	}
}

// TestLimit has more mails than may be under way.
func TestLimit(t *testing.T) {
	dir := t.TempDir()
	// Each counts itself in, looks how many there are, and counts itself out.
	path := script(t, `d=$(mktemp "`+dir+`/run.XXXXXX"); ls "`+dir+`" | grep -c run >>"`+dir+`/counts"; sleep 0.05; rm "$d"`)
	s := sender(t, mail.Config{Command: []string{path}, Limit: 2})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := s.Send(t.Context(), to("mailto:ops@example.org", delivery.Options{})); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	counts, _ := os.ReadFile(filepath.Join(dir, "counts"))
	if n := strings.Count(string(counts), "\n"); n != 8 {
		t.Errorf("%d mails", n)
	}
	for line := range strings.Lines(string(counts)) {
		if n, err := strconv.Atoi(strings.TrimSpace(line)); err != nil || n > 2 {
			t.Errorf("%q at a time", line)
		}
	}
	// Whoever waits for his turn gives up with his context.
	hang := sender(t, mail.Config{Command: []string{script(t, "sleep 600")}, Limit: 1})
	ctx, cancel := context.WithCancel(t.Context())
	all.Go(func() { _, _ = hang.Send(ctx, to("mailto:ops@example.org", delivery.Options{})) })
	short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	_, err := hang.Send(short, to("mailto:ops@example.org", delivery.Options{}))
	want(t, "waiting", err, notify.Retry)
	cancel()
	all.Wait()
}

func TestNew(t *testing.T) {
	for name, c := range map[string]mail.Config{
		"nothing":          {Confirmation: fakeConfirmation},
		"an empty command": {Command: []string{""}, Confirmation: fakeConfirmation},
		"no confirmation":  {Command: []string{"true"}},
	} {
		if _, err := mail.New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// The log tells what keeps mails from going, once, and when they go again.
func TestFailuresAreLogged(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "sendmail")
	s := sender(t, mail.Config{Command: []string{path}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	send := func(what string, runs bool) {
		t.Helper()
		if what != "" {
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+what+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Send(t.Context(), to("mailto:a@example.org", delivery.Options{})); (err == nil) != runs {
			t.Fatal(err)
		}
	}
	send("", false)
	send("", false)
	send("cat >/dev/null", true)
	send("cat >/dev/null; exit 67", false)
	send("cat >/dev/null; echo out of order >&2; exit 1", false)
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "no such file") || !strings.Contains(lines[1], "again") || !strings.Contains(lines[2], "out of order") {
		t.Errorf("logged:\n%s", log.String())
	}
}
