// Package readme carries out what the README tells its readers to do, and
// compares what they would see with what the README shows.
package readme

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"zaqar/internal/need"
	"zaqar/test/e2e/daemon"
)

var update = flag.Bool("update", false, "write what the commands print into the README")

func TestMain(m *testing.M) { os.Exit(daemon.Main(m, false)) }

const (
	file    = "../../README.md"
	address = "http://127.0.0.1:8888" // of the README's server
)

// step is a command of the README and what it shows as its output.
type step struct{ command, shown string }

// TestConversation runs the commands of the README's console blocks in one
// shell.
func TestConversation(t *testing.T) {
	need.Program(t, "curl")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	steps := conversation(string(text))
	if len(steps) < 10 {
		t.Fatalf("only %d commands in the README", len(steps))
	}
	d := daemon.Start(t, daemon.Options{})
	sh := newShell(t)
	same := ids{}
	updated := string(text)
	for _, s := range steps {
		actual := sh.run(t, strings.ReplaceAll(same.translate(s.command), address, d.URL))
		if !same.match(s.shown, actual) && !*update {
			t.Errorf("$ %s\nthe README shows\n%s\nthe server says\n%s", s.command, s.shown, actual)
		}
		updated = strings.Replace(updated, "$ "+s.command+"\n"+s.shown, "$ "+s.command+"\n"+actual, 1)
	}
	if *update {
		if err := os.WriteFile(file, []byte(same.translate(updated)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// conversation returns the commands of all console blocks.
func conversation(text string) []step {
	var steps []step
	in := false
	for line := range strings.Lines(text) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch {
		case strings.HasPrefix(line, "```"):
			in = strings.HasPrefix(line, "```console")
		case in && isCommand:
			steps = append(steps, step{command: strings.TrimSuffix(command, "\n")})
		case in && len(steps) > 0:
			steps[len(steps)-1].shown += line
		}
	}
	return steps
}

// ids tells which id of the README stands for which one of this run.
type ids map[string]string

// id finds ids of messages and claims.
func id() *regexp.Regexp { return regexp.MustCompile(`\b[0-9a-f]{24,}\b`) }

// varying finds what differs between two runs.
func varying() *regexp.Regexp {
	return regexp.MustCompile(`"age":\d+|"created":"[^"]*"`)
}

// translate puts the ids of this run into a command of the README.
func (m ids) translate(text string) string {
	return id().ReplaceAllStringFunc(text, func(shown string) string {
		if actual, ok := m[shown]; ok {
			return actual
		}
		return shown
	})
}

// match compares two outputs, and remembers which id stands for which.
func (m ids) match(shown, actual string) bool {
	a, b := id().FindAllString(shown, -1), id().FindAllString(actual, -1)
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if known, ok := m[a[i]]; ok && known != b[i] {
			return false
		}
		m[a[i]] = b[i]
	}
	mask := func(s string) string { return varying().ReplaceAllString(m.translate(s), "*") }
	return mask(shown) == mask(actual)
}

// shell is a running bash.
type shell struct {
	in  io.Writer
	out *bufio.Reader
}

func newShell(t *testing.T) *shell {
	t.Helper()
	cmd := exec.Command("bash", "-s") // ends with its input
	cmd.Dir = t.TempDir()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the shell: %v", err)
		}
	})
	return &shell{in, bufio.NewReader(out)}
}

// run carries out a command and returns what it prints.
func (s *shell) run(t *testing.T, command string) string {
	t.Helper()
	const end = "=== end of output ==="
	fmt.Fprintf(s.in, "%s </dev/null\necho '%s'\n", command, end)
	var all strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			t.Fatalf("$ %s: %v\n%s", command, err, all.String())
		}
		if line == end+"\n" {
			return all.String()
		}
		all.WriteString(line)
	}
}

func TestDifferencesAreSeen(t *testing.T) {
	const a, b, c = "8a30c9bb0000000000000002", "8a30c9bb0000000000000003", "ffffffff0000000000000002"
	m := ids{}
	for _, x := range []struct {
		shown, actual string
		want          bool
	}{
		{"201\n", "201\n", true},
		{"201\n", "200\n", false},
		{`{"age":0}`, `{"age":7}`, true},
		{`{"age":0}`, `{"ago":0}`, false},
		{a, c, true},
		{a + " " + a, c + " " + c, true},
		{a, b, false}, // it already stands for c
		{b, "", false},
	} {
		if got := m.match(x.shown, x.actual); got != x.want {
			t.Errorf("%q and %q match: %v", x.shown, x.actual, got)
		}
	}
}
