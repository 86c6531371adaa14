package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openLog(t *testing.T, c Config) *Log {
	t.Helper()
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestFormats(t *testing.T) {
	var text, js bytes.Buffer
	openLog(t, Config{Stdout: &text}).Info("hello", "project_id", "p", "error", errors.New("a b"))
	if got := text.String(); !strings.Contains(got, ` level=INFO msg=hello project_id=p error="a b"`+"\n") || !strings.HasPrefix(got, "time=") {
		t.Errorf("text line %q", got)
	}
	openLog(t, Config{Stdout: &js, Format: JSON}).Info("hello", "project_id", "p", "took", 1500*time.Millisecond)
	var m map[string]any
	if err := json.Unmarshal(js.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if m["msg"] != "hello" || m["level"] != "INFO" || m["project_id"] != "p" || m["time"] == nil || m["took"] != 1.5 {
		t.Errorf("JSON line %v", m)
	}
}

func TestLevelChangesUnderDerivedLoggers(t *testing.T) {
	var out bytes.Buffer
	l := openLog(t, Config{Stdout: &out})
	derived := l.With("k", "v").WithGroup("g")
	derived.Debug("before")
	l.SetLevel(slog.LevelDebug)
	derived.Debug("during")
	l.SetLevel(slog.LevelError)
	derived.Warn("after")
	if got := out.String(); strings.Contains(got, "before") || !strings.Contains(got, "during") || strings.Contains(got, "after") {
		t.Errorf("logged %q", got)
	}
}

func TestReopenFollowsRotation(t *testing.T) {
	name := filepath.Join(t.TempDir(), "z.log")
	l := openLog(t, Config{File: name})
	derived := l.With("k", "v")
	derived.Info("one")
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	derived.Info("two")
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	derived.Info("three")
	old, cur := read(t, name+".1"), read(t, name)
	if !strings.Contains(old, "one") || !strings.Contains(old, "two") || strings.Contains(old, "three") {
		t.Errorf("old file %q", old)
	}
	if strings.Contains(cur, "two") || !strings.Contains(cur, "three") {
		t.Errorf("new file %q", cur)
	}
}

func TestReopenFailureKeepsTheOldFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, Config{File: filepath.Join(dir, "z.log")})
	if err := os.Rename(dir, dir+"2"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reopen without directory: %v", err)
	}
	l.Info("still here")
	if got := read(t, filepath.Join(dir+"2", "z.log")); !strings.Contains(got, "still here") {
		t.Errorf("old file %q", got)
	}
}

func TestReopenWhileWriting(t *testing.T) {
	name := filepath.Join(t.TempDir(), "z.log")
	l := openLog(t, Config{File: name})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				l.Info("line")
			}
		})
	}
	for range 20 {
		if err := l.Reopen(); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if n := strings.Count(read(t, name), "msg=line\n"); n != 400 {
		t.Errorf("%d whole lines of 400", n)
	}
}

func TestFileErrors(t *testing.T) {
	if _, err := Open(Config{File: filepath.Join(t.TempDir(), "no", "z.log")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("log file in a missing directory: %v", err)
	}
	if _, err := Open(Config{Syslog: true, SyslogSocket: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("missing syslog socket accepted")
	}
	if _, err := Open(Config{Syslog: true, Facility: "LOG_PUBLIC"}); err == nil {
		t.Error("unknown facility accepted")
	}
}

func TestSyslogCarriesPriorityAndNoTime(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	file := filepath.Join(t.TempDir(), "z.log")
	l := openLog(t, Config{Syslog: true, SyslogSocket: socket, Facility: "LOG_LOCAL3", File: file, Level: slog.LevelDebug})
	for _, c := range []struct {
		level slog.Level
		pri   string // facility 19*8 + severity
	}{
		{slog.LevelDebug, "<159>"}, {slog.LevelInfo, "<158>"}, {slog.LevelWarn, "<156>"}, {slog.LevelError, "<155>"},
	} {
		l.With("k", "v").Log(t.Context(), c.level, "hello")
		buf := make([]byte, 1024)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got := string(buf[:n])
		if !strings.HasPrefix(got, c.pri) || strings.Contains(got, "time=") || !strings.Contains(got, "msg=hello k=v") {
			t.Errorf("%v sent as %q", c.level, got)
		}
	}
	if n := strings.Count(read(t, file), "msg=hello"); n != 4 {
		t.Errorf("%d of 4 lines in the file beside syslog", n)
	}
}

func TestFacilities(t *testing.T) {
	for _, name := range append(Facilities(), "", "user", "local0", "Log_Daemon") {
		if _, err := facility(name); err != nil {
			t.Error(err)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSyslogJSON(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l := openLog(t, Config{Syslog: true, SyslogSocket: socket, Format: JSON})
	l.WithGroup("g").Info("hello", "took", time.Second)
	buf := make([]byte, 1024)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(buf[:n]); !strings.HasSuffix(got, `{"level":"INFO","msg":"hello","g":{"took":1}}`+"\n") {
		t.Errorf("sent %q", got)
	}
}
