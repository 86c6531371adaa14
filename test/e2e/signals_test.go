package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

// TestHangupLosesNoRequestAndNoRecord rotates the log of a server under load:
// every request is answered, and has its record in one of the files.
func TestHangupLosesNoRequestAndNoRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "zaqar.log")
	d := daemon.Start(t, daemon.Options{LogFile: file})
	c := d.Client()
	stop := make(chan struct{})
	var sent atomic.Int64
	done := make(chan bool)
	for range 4 {
		go func() {
			defer func() { done <- true }()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if a, err := c.Try(t, http.MethodPost, "/v2/queues/q/messages", `{"messages": [{"body": 1}]}`); err != nil || a.Status != 201 {
					t.Errorf("answer %v, error %v", a, err)
					return
				}
				sent.Add(1)
			}
		}()
	}
	const rotations = 3
	for i := range rotations {
		if err := os.Rename(file, fmt.Sprint(file, ".", i)); err != nil {
			t.Fatal(err)
		}
		d.Signal(t, syscall.SIGHUP)
		testwait.Until(t, "the log is opened again", func() bool {
			text, _ := os.ReadFile(file)
			return bytes.Contains(text, []byte("configuration reloaded"))
		})
	}
	close(stop)
	for range 4 {
		<-done
	}
	d.Stop(t)
	records := 0
	for _, name := range []string{file, file + ".0", file + ".1", file + ".2"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			var r daemon.Record
			if err := json.Unmarshal(line, &r); err != nil {
				t.Errorf("%s: %v: %s", name, err, line)
			}
			if r.Text("msg") == "request" {
				records++
			}
		}
	}
	if int64(records) != sent.Load() {
		t.Errorf("%d records of %d requests", records, sent.Load())
	}
}

// TestHangupChangesLimits re-reads the configuration of a running server, good
// ones and bad ones.
func TestHangupChangesLimits(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: "[transport]\nmax_messages_per_page = 5\n"})
	c := d.Client()
	c.Do(t, http.MethodGet, "/v2/queues/q/messages?limit=6", nil).Want(400)

	d.Configure(t, "[transport]\nmax_messages_per_page = 7\n")
	d.Signal(t, syscall.SIGHUP)
	d.Await(t, "configuration reloaded", 1)
	c.Do(t, http.MethodGet, "/v2/queues/q/messages?limit=7", nil).Want(200)
	c.Do(t, http.MethodGet, "/v2/queues/q/messages?limit=8", nil).Want(400)

	d.Configure(t, "[transport]\nmax_messages_per_page = many\n")
	d.Signal(t, syscall.SIGHUP)
	d.Await(t, "the configuration was not reloaded; the old one stays in force", 1)
	c.Do(t, http.MethodGet, "/v2/queues/q/messages?limit=7", nil).Want(200)

	d.Configure(t, "[drivers:transport:wsgi]\nidle_timeout = 7\n")
	d.Signal(t, syscall.SIGHUP)
	d.Await(t, "option changed in the configuration; a restart puts it in force", 1)
	c.Do(t, http.MethodGet, "/v2/queues/q/messages?limit=20", nil).Want(200)
}

// TestSecondServerIsRefused starts two servers on one data directory.
func TestSecondServerIsRefused(t *testing.T) {
	t.Parallel()
	first := daemon.Start(t, daemon.Options{})
	c := first.Client()
	c.Post(t, "q", "safe")

	second := daemon.Launch(t, daemon.Options{Dir: first.Dir})
	if err := second.Wait(t); err == nil {
		t.Fatal("a second server ran on the same directory")
	}
	told := second.Records("the server did not start")
	if len(told) != 1 {
		t.Fatalf("it said %v", told)
	}
	for _, want := range []string{first.Dir, "another process", fmt.Sprint(first.PID())} {
		if !strings.Contains(told[0].Text("error"), want) {
			t.Errorf("no %q in %q", want, told[0].Text("error"))
		}
	}
	c.Post(t, "q", "sound")
	if n := len(c.List(t, "q")); n != 2 {
		t.Errorf("%d messages", n)
	}
	first.Kill(t) // a lock that outlives its process would bar the next one
	c.URL = daemon.Start(t, daemon.Options{Dir: first.Dir}).URL
	if n := len(c.List(t, "q")); n != 2 {
		t.Errorf("%d messages after a restart", n)
	}
}
