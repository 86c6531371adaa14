package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"zaqar/app"
)

// Backups of a server under load are complete and can be served from, in place
// or copied back.
func TestBackupAndRestore(t *testing.T) {
	dir, backups := t.TempDir(), t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	stop := make(chan struct{})
	var load sync.WaitGroup
	for w := range 4 {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				queue := fmt.Sprintf("load-%d", w)
				s.do(t, "POST", "/v2/queues/"+queue+"/messages", `{"messages":[{"body":"`+strings.Repeat("x", 3000)+`"},{"body":"y"}]}`)
				s.do(t, "DELETE", "/v2/queues/"+queue+"/messages?pop=2", "")
			}
		})
	}
	kept := s.posts(t, "kept", 1)
	type taken struct {
		dir  string
		kept []string
	}
	var all []taken
	for k := range 5 {
		known := slices.Clone(kept)
		to := filepath.Join(backups, fmt.Sprint(k))
		b := asJSON[app.StoreBackup](t, 0, "store", "backup", "--data-dir", dir, "--verify", "--json", to)
		if b.To != to || b.Segments == 0 || b.Verified == nil || !b.Verified.Clean || len(b.Damage) > 0 {
			t.Errorf("backup %d: %+v, %+v", k, b, b.Verified)
		}
		all = append(all, taken{to, known})
		kept = append(kept, s.posts(t, "kept", 10)...)
	}
	close(stop)
	load.Wait()
	s.signal(t, syscall.SIGTERM)
	if code := s.exit(t); code != 0 {
		t.Errorf("the server ended with %d", code)
	}
	for k, b := range all {
		from := b.dir
		if k%2 == 0 { // copied back
			from = t.TempDir()
			if err := os.CopyFS(from, os.DirFS(b.dir)); err != nil {
				t.Fatal(err)
			}
		}
		restored := serverWith(t, "--data-dir", from)
		if got := restored.bodies(t, "kept"); len(got) < len(b.kept) || !slices.Equal(got[:len(b.kept)], b.kept) {
			t.Errorf("backup %d has %q, want at least %q", k, got, b.kept)
		}
		restored.posts(t, "kept", 1)
		restored.signal(t, syscall.SIGTERM)
		restored.exit(t)
	}
}

func TestBackupErrors(t *testing.T) {
	dir := t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	s.posts(t, "q", 1)
	full := t.TempDir()
	if err := os.WriteFile(full+"/mine", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"not empty":     {[]string{"--data-dir", dir, full}, 1, "not empty"},
		"no parent":     {[]string{"--data-dir", dir, full + "/no/backup"}, 1, "no such file"},
		"in the store":  {[]string{"--data-dir", dir, dir + "/backup"}, 1, "the store itself"},
		"no store":      {[]string{"--data-dir", full, t.TempDir() + "/backup"}, 1, "no store"},
		"negative rate": {[]string{"--data-dir", dir, "--rate", "-1", full + "/x"}, 2, "--rate"},
		"no target":     {[]string{"--data-dir", dir}, 2, "accepts 1 arg"},
		"memory":        {[]string{"--config-file", file(t, "[drivers]\nmessage_store = memory\n"), full + "/x"}, 1, "memory"},
		"configuration": {[]string{"--config-file", file(t, "[drivers]\nmessage_store = redis\n"), full + "/x"}, 1, "--data-dir"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := zaqar(t, append([]string{"store", "backup"}, c.args...)...)
			if code != c.code || out != "" || !strings.Contains(errs, c.says) {
				t.Errorf("exit code %d, want %d\n%s%s", code, c.code, out, errs)
			}
		})
	}
	if names, err := os.ReadDir(full); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}
