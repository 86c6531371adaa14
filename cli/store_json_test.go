package cli

import (
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// The help of each tool names whatever it prints as JSON, so that a name that
// changes is noticed.
func TestHelpNamesWhatIsInTheJSON(t *testing.T) {
	dir := t.TempDir()
	s := serverWith(t, "--data-dir", dir)
	s.posts(t, "q", 3)
	check := func(code int, command string, args ...string) {
		t.Helper()
		names := map[string]bool{}
		keysOf(asJSON[map[string]any](t, code, slices.Concat(strings.Fields(command), []string{"--json"}, args)...), "", names)
		_, help, _ := zaqar(t, append(strings.Fields(command), "--help")...)
		_, help, found := strings.Cut(help, "JSON:")
		if !found || len(names) < 3 {
			t.Errorf("%s: no JSON in its help, or %v in it", command, names)
		}
		for path := range names {
			if strings.HasPrefix(path, "verified.") {
				continue // as verify has it
			}
			for _, name := range strings.Split(strings.ReplaceAll(path, "[]", ""), ".") {
				if !regexp.MustCompile(`\b` + name + `\b`).MatchString(help) {
					t.Errorf("%s: the help does not name %q of %s", command, name, path)
				}
			}
		}
	}
	check(0, "status", "--server-url", s.url, "--data-dir", dir)
	check(1, "status", "--server-url", s.url, "--data-dir", t.TempDir())
	check(0, "store backup", "--data-dir", dir, "--verify", t.TempDir()+"/to")
	s.signal(t, syscall.SIGTERM)
	s.exit(t)
	check(0, "store info", "--queues", dir)
	check(0, "store compact", dir)
	flip(t, dir+"/0000000001.log", "q-1")
	check(1, "store verify", dir)
	check(0, "store info", dir)
	check(1, "store backup", "--data-dir", dir, t.TempDir()+"/to")
}
