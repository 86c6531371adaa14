package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zaqar/auth/policy"
	"zaqar/messaging"
)

// watched is a watch of a directory with a policy file that may not exist yet.
type watched struct {
	*policyWatch
	t    *testing.T
	dir  string
	logs bytes.Buffer
}

func watch(t *testing.T) *watched {
	t.Helper()
	w := &watched{t: t, dir: t.TempDir()}
	from := Policy{
		Files: []string{filepath.Join(w.dir, "policy.yaml"), filepath.Join(w.dir, "policy.json")},
		Dirs:  [][]string{{filepath.Join(w.dir, "policy.d")}},
	}
	state := from.state()
	w.policyWatch = &policyWatch{live: policy.NewLive(policy.Default()), from: from, loaded: state, seen: state, log: slog.New(slog.NewTextHandler(&w.logs, nil))}
	return w
}

func (w *watched) write(name, text string) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// may reports whether anybody may list queues, after some looks.
func (w *watched) may(looks int) bool {
	for range looks {
		w.look()
	}
	return w.live.Allow(w.t.Context(), messaging.Caller{Project: "p"}, "queues:get_all", messaging.QueueRef{Project: "p"}) == nil
}

func (w *watched) logged(want string) {
	w.t.Helper()
	if !strings.Contains(w.logs.String(), want) {
		w.t.Errorf("%q is not logged:\n%s", want, w.logs.String())
	}
	w.logs.Reset()
}

func TestPolicyFollowsTheFiles(t *testing.T) {
	w := watch(t)
	if !w.may(3) || w.logs.Len() > 0 {
		t.Fatalf("without files: %s", w.logs.String())
	}
	w.write("policy.yaml", "queues:get_all: '!'")
	if !w.may(1) {
		t.Error("a file is taken while it may still be written")
	}
	if w.may(1) {
		t.Error("a new file is not taken")
	}
	w.logged("policy reloaded")
	if err := os.Rename(filepath.Join(w.dir, "policy.yaml"), filepath.Join(w.dir, "aside")); err != nil {
		t.Fatal(err)
	}
	if w.may(2) {
		t.Error("without its file, the defaults are in force")
	}
	w.logged("is gone")
	if err := os.Rename(filepath.Join(w.dir, "aside"), filepath.Join(w.dir, "policy.yaml")); err != nil {
		t.Fatal(err)
	}
	if w.may(2) {
		t.Error("a file that is there again does not count")
	}
	w.logged("policy reloaded")

	w.write("policy.yaml", "queues:get_all: 'role:'")
	if w.may(2) {
		t.Error("a wrong file puts the defaults in force")
	}
	w.logged("nothing behind the colon")
	if w.may(3); w.logs.Len() > 0 {
		t.Errorf("told again: %s", w.logs.String())
	}
	w.write("policy.yaml", "queues:get_all: '@' # right again")
	if !w.may(2) {
		t.Error("a file that is right again is not taken")
	}
	w.write("policy.d/late.yaml", "queues:get_all: '!'")
	if w.may(2) {
		t.Error("a file that appears in the directory is not taken")
	}
	// A file that is gone loosens nothing until that is said to be meant.
	if err := os.Remove(filepath.Join(w.dir, "policy.d", "late.yaml")); err != nil {
		t.Fatal(err)
	}
	if w.may(3) {
		t.Error("the rules of a file went with it")
	}
	w.logged("late.yaml")
	if w.may(3); w.logs.Len() > 0 {
		t.Errorf("told again: %s", w.logs.String())
	}
	w.write("policy.yaml", "queues:get_all: '@' # and a change elsewhere")
	if w.may(2) {
		t.Error("the rules of a file went with a change of another")
	}
	enforce, err := w.prepare(w.from)
	if err != nil {
		t.Fatal(err)
	}
	if enforce(); !w.may(2) {
		t.Error("a file that is gone counts after all was read again")
	}
	// Of two writes, the first is never seen.
	w.write("policy.yaml", "")
	w.look()
	w.write("policy.yaml", "queues:get_all: '!' # all of it")
	if w.look(); strings.Contains(w.logs.String(), "reloaded files=[]") || w.may(1) {
		t.Error("half of a file is taken, or the whole is not")
	}
}

func TestPolicyOfOptions(t *testing.T) {
	w := watch(t)
	w.write("other.yaml", "queues:get_all: '!'")
	enforce, err := w.prepare(Policy{Files: []string{filepath.Join(w.dir, "other.yaml")}})
	if err != nil || !w.may(0) {
		t.Fatalf("prepared is enforced, or %v", err)
	}
	enforce()
	if w.may(0) || w.may(2) {
		t.Error("what was prepared is not in force")
	}
	w.write("wrong.yaml", "queues:get_all: (")
	if _, err := w.prepare(Policy{Files: []string{filepath.Join(w.dir, "wrong.yaml")}}); err == nil {
		t.Error("a wrong file is prepared")
	}
	w.logged("wrong.yaml:1")
}

func TestPolicyThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, bytes.Repeat([]byte("# a comment\n"), maxPolicyFile/12+1), 0o600); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(dir, "loop.yaml")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Policy{
		{Files: []string{large}}, {Files: []string{loop}}, {Only: []string{filepath.Join(dir, "missing.yaml")}}, {Only: []string{dir}},
	} {
		rules, findings, _ := p.Load()
		if rules != nil || len(findings) != 1 || !findings[0].Error || !strings.Contains(findings[0].Text, "cannot be read") {
			t.Errorf("%+v: %v, %v", p, rules != nil, findings)
		}
	}
	// A file where a directory is looked for is no directory, and so on.
	if rules, findings, sources := (Policy{Files: []string{dir, large + "/x"}, Dirs: [][]string{{large}}}).Load(); rules == nil || len(findings)+len(sources) > 0 {
		t.Errorf("%v %v", findings, sources)
	}
}
