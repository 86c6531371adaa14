package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"zaqar/app"
)

// asJSON runs the program and decodes what it prints.
func asJSON[T any](t *testing.T, wantCode int, args ...string) T {
	t.Helper()
	code, out, errs := zaqar(t, args...)
	if code != wantCode {
		t.Fatalf("zaqar %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, wantCode, out, errs)
	}
	var v T
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("zaqar %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return v
}

// content lists the files of a directory with their sizes and times.
func content(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// posts sends n messages to a queue, and returns their bodies.
func (s *server) posts(t *testing.T, queue string, n int) (bodies []string) {
	t.Helper()
	for i := range n {
		body := fmt.Sprintf("%s-%d", queue, i)
		if status, text := s.do(t, "POST", "/v2/queues/"+queue+"/messages", fmt.Sprintf(`{"messages":[{"body":%q,"ttl":86400}]}`, body)); status != http.StatusCreated {
			t.Fatalf("post: %d %s", status, text)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

// bodies lists what is in a queue.
func (s *server) bodies(t *testing.T, queue string) (all []string) {
	t.Helper()
	for path := "/v2/queues/" + queue + "/messages?echo=true&include_claimed=true&limit=20"; ; {
		status, text := s.do(t, "GET", path, "")
		var page struct {
			Messages []struct{ Body string }
			Links    []struct{ Href string }
		}
		if err := json.Unmarshal([]byte(text), &page); err != nil || status != http.StatusOK {
			t.Fatalf("list: %d %v %s", status, err, text)
		}
		if len(page.Messages) == 0 {
			return all
		}
		for _, m := range page.Messages {
			all = append(all, m.Body)
		}
		path = page.Links[0].Href
	}
}

func TestStoreInfo(t *testing.T) {
	dir := t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	s.posts(t, "small", 2)
	s.posts(t, "big", 40)
	s.do(t, "POST", "/v2/queues/big/claims?limit=3", `{"ttl":300,"grace":60}`)
	before := content(t, dir)
	for _, running := range []bool{true, false} {
		if !running {
			s.signal(t, syscall.SIGTERM)
			s.exit(t)
			before = content(t, dir)
		}
		in := asJSON[app.StoreInfo](t, 0, "store", "info", "--data-dir", dir, "--json", "--queues")
		if in.Messages != 42 || in.Claimed != 3 || in.Queues != 2 || len(in.Projects) != 1 || in.Projects[0].Project != "p" || len(in.Store) != 8 || in.Format != 1 {
			t.Errorf("running %v: %+v", running, in)
		}
		if len(in.PerQueue) != 2 || in.PerQueue[0].Queue != "big" || in.PerQueue[0].Messages != 40 || in.PerQueue[0].Claimed != 3 || in.PerQueue[0].Oldest == nil {
			t.Errorf("running %v: queues %+v", running, in.PerQueue)
		}
		if in.Oldest == nil || in.Oldest.Queue != "small" || in.At.Sub(in.Oldest.Posted) > time.Hour || in.Space.Live == 0 || in.Space.Disk < in.Space.Live {
			t.Errorf("running %v: %+v, %+v", running, in.Oldest, in.Space)
		}
		code, out, errs := zaqar(t, "store", "info", dir, "--queues", "--limit", "1")
		if code != 0 || errs != "" || !strings.Contains(out, "42: 3 claimed") || !strings.Contains(out, "big") || !strings.Contains(out, "and 1 more") {
			t.Errorf("running %v: exit code %d\n%s%s", running, code, out, errs)
		}
		if after := content(t, dir); after != before {
			t.Errorf("running %v: the directory has changed from\n%sto\n%s", running, before, after)
		}
	}
}

func TestProjectNames(t *testing.T) {
	for name, want := range map[string]string{"": "(none)", "p 1": "p 1", "é": "é", "a\tb": `"a\tb"`, "a\u009b31m": `"a\u009b31m"`} {
		if got := project(name); got != want {
			t.Errorf("%q is shown as %s", name, got)
		}
	}
}

func TestStoreVerify(t *testing.T) {
	dir := t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	s.posts(t, "q", 5)
	if v := asJSON[app.StoreVerified](t, 0, "store", "verify", "--json", "--data-dir", dir); !v.Clean || v.Messages != 5 {
		t.Errorf("in use: %+v", v)
	}
	s.signal(t, syscall.SIGKILL)
	s.exit(t)
	before := content(t, dir)
	code, out, errs := zaqar(t, "store", "verify", dir)
	if code != 0 || errs != "" || !strings.Contains(out, "nothing is damaged") {
		t.Errorf("after a kill: exit code %d\n%s%s", code, out, errs)
	}
	if after := content(t, dir); after != before {
		t.Errorf("the directory has changed from\n%sto\n%s", before, after)
	}

	logs, err := filepath.Glob(dir + "/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatal(logs, err)
	}
	flip(t, logs[0], "q-1")
	v := asJSON[app.StoreVerified](t, 1, "store", "verify", "--json", dir)
	if len(v.Damage) != 1 || v.Damage[0].Record != "message" || v.Damage[0].Queue != "q" || v.Damage[0].Project != "p" || v.Damage[0].File != filepath.Base(logs[0]) {
		t.Errorf("reported as %+v", v.Damage)
	}
	code, out, errs = zaqar(t, "store", "verify", dir)
	if code != 1 || errs != "" || !strings.Contains(out, "DAMAGE") || !strings.Contains(out, `queue "q"`) {
		t.Errorf("damaged: exit code %d\n%s%s", code, out, errs)
	}
	flip(t, logs[0], "zaqarlog") // how every segment begins
	log, err := os.Stat(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs = zaqar(t, "store", "info", dir)
	if want := fmt.Sprintf("%d bytes at offset 0 of segment 1: the header is damaged", log.Size()); code != 0 || errs != "" || !strings.Contains(out, want) {
		t.Errorf("damaged header: exit code %d\n%s%s\nwant %q", code, out, errs, want)
	}
}

// flip damages the first place in the file that has the text.
func flip(t *testing.T, name, text string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), text)
	if at < 0 {
		t.Fatalf("no %q in %s", text, name)
	}
	b[at] ^= 4
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestStoreCompact(t *testing.T) {
	dir := t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	s.posts(t, "q", 3)
	code, _, errs := zaqar(t, "store", "compact", "--data-dir", dir)
	if code != 1 || !strings.Contains(errs, "compacts it by itself") {
		t.Errorf("in use: exit code %d\n%s", code, errs)
	}
	s.signal(t, syscall.SIGTERM)
	s.exit(t)
	r := asJSON[app.StoreCompacted](t, 0, "store", "compact", "--json", dir)
	if r.After.Log > r.Before.Log || r.After.Live == 0 || r.Before.Segments == 0 {
		t.Errorf("%+v", r)
	}
	code, out, errs := zaqar(t, "store", "compact", dir)
	if code != 0 || errs != "" || !strings.Contains(out, "after:") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	again := serverWith(t, "--data-dir", dir)
	if got := again.bodies(t, "q"); len(got) != 3 {
		t.Errorf("%q are left", got)
	}
}

// What root writes into the store of the server's user, that user cannot open.
func TestStoreCompactOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	s.posts(t, "q", 1)
	s.signal(t, syscall.SIGTERM)
	s.exit(t)
	if err := os.Chown(dir+"/FORMAT", 65534, 65534); err != nil {
		t.Fatal(err)
	}
	before := content(t, dir)
	if code, _, errs := zaqar(t, "store", "compact", dir); code != 1 || !strings.Contains(errs, "belongs to user 65534") || content(t, dir) != before {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// Who may not read the store is told whose it is; who may not write where the
// backup is to be is not sent to somebody else.
func TestStoreToolsWithoutRights(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	s.signal(t, syscall.SIGTERM)
	s.exit(t)
	const whose = "belong to the user of its server"
	as := asAnother(t, dir)
	link := filepath.Join(t.TempDir(), "store")
	if err := errors.Join(os.Symlink(dir, link), os.Chmod(filepath.Dir(link), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"info", dir}, {"backup", "--data-dir", dir, to + "/b"}, {"info", link}, {"backup", "--data-dir", link, to + "/b"}} {
		if code, _, errs := as(append([]string{"store"}, args...)...); code != 1 || !strings.Contains(errs, whose) {
			t.Errorf("%s: exit code %d\n%s", args, code, errs)
		}
	}
	openToAll(t, dir)
	if err := os.Chmod(to, 0o555); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := as("store", "backup", "--data-dir", dir, to+"/backup"); code != 1 || !strings.Contains(errs, to) || strings.Contains(errs, whose) {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

// openToAll lets everybody read a store.
func openToAll(t *testing.T, dir string) {
	t.Helper()
	err := os.Chmod(dir, 0o755)
	entries, rerr := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.Chmod(filepath.Join(dir, e.Name()), 0o644))
	}
	if err = errors.Join(err, rerr); err != nil {
		t.Fatal(err)
	}
}

func TestStoreThatIsNone(t *testing.T) {
	empty := t.TempDir()
	unreadable := t.TempDir()
	if err := os.WriteFile(unreadable+"/FORMAT", []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(foreign+"/FORMAT", []byte(`{"format":9,"store":"8a8a8a8a"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ command, dir, says string }{
		{"info", empty, "no store"}, {"verify", empty, "no store"}, {"compact", empty, "no store"},
		{"info", empty + "/no", "does not exist"},
		{"info", unreadable, "FORMAT"}, {"compact", unreadable, "FORMAT"},
		{"info", foreign, "format 9"}, {"compact", foreign, "format 9"},
	} {
		if code, out, errs := zaqar(t, "store", c.command, c.dir); code != 1 || out != "" || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit code %d\n%s%s", c.command, code, out, errs)
		}
	}
	if code, out, _ := zaqar(t, "store", "verify", unreadable); code != 1 || !strings.Contains(out, "FORMAT: DAMAGE") {
		t.Errorf("verify: exit code %d\n%s", code, out)
	}
	if names, err := os.ReadDir(empty); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	for _, args := range [][]string{{"info", "--limit", "-1"}, {"info", "a", "b"}, {"verify", "--nope"}, {"nope"}} {
		if code, _, errs := zaqar(t, append([]string{"store"}, args...)...); code != 2 || errs == "" {
			t.Errorf("%q: exit code %d\n%s", args, code, errs)
		}
	}
}

// A rate makes work wait for its time, but not one that is interrupted.
func TestPacedWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		told := 0
		tell := paced(ctx, 10<<20, func(app.StoreProgress) { told++ })
		begun := time.Now()
		for mib := int64(1); mib <= 30; mib++ {
			tell(app.StoreProgress{Step: "copying", Done: mib << 20})
		}
		if took := time.Since(begun); took != 3*time.Second || told != 30 {
			t.Errorf("30 MiB at 10 MiB/s took %v, told %d times", took, told)
		}
		cancel()
		tell(app.StoreProgress{Done: 1 << 40})
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("interrupted after %v", took)
		}
	})
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		want     string
	}{
		{true, "\rreading: 1.0 KiB of 4.0 KiB, 25 %" + "\rwriting: 9 bytes" + strings.Repeat(" ", 17) + "\r" + strings.Repeat(" ", 16) + "\r"},
		{false, "reading: 1.0 KiB of 4.0 KiB, 25 %\nwriting: 9 bytes\n"},
	} {
		var out strings.Builder
		p := &progress{w: &out, terminal: c.terminal}
		p.tell(app.StoreProgress{Step: "reading", Done: 1024, Total: 4096})
		p.every = time.Hour
		p.tell(app.StoreProgress{Step: "writing", Done: 9})
		p.tell(app.StoreProgress{Step: "too soon", Done: 10})
		p.end()
		if got := out.String(); got != c.want {
			t.Errorf("terminal %v: %q, want %q", c.terminal, got, c.want)
		}
	}
	if got := newProgress(new(strings.Builder)); got.terminal {
		t.Error("a buffer passes for a terminal")
	}
	for n, want := range map[int64]string{0: "0 bytes", 1: "1 byte", 1023: "1023 bytes", 1024: "1.0 KiB", 1<<20 - 1: "1.0 MiB", 3 << 29: "1.5 GiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}
