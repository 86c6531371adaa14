package house

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rule says what the packages under a path may import. The rule with the
// longest path counts.
type rule struct {
	path     string   // of the module, without "zaqar/"; a prefix of whole elements
	ours     []string // packages of ours that may be imported, with those under them
	not      []string // packages of others that may not, with those under them
	wallTime bool     // may ask for the time of day
	surround bool     // may read the environment and flags
}

// rules are the arrows of docs/architecture.md.
func rules() []rule {
	network := []string{"net", "database/sql"}
	system := []string{"os", "io/ioutil", "os/exec", "syscall", "flag"}
	return []rule{
		{path: "messaging", not: slices.Concat(network, system, []string{"log", "context", "sync"})},
		{path: "messaging/delivery", ours: []string{"messaging", "messaging/filter"}, not: slices.Concat(network, system, []string{"log", "context", "sync"})},
		{path: "messaging/filter", ours: []string{"messaging"}, not: slices.Concat(network, system, []string{"log", "context", "sync"})},
		{path: "notify", ours: []string{"messaging", "storage", "internal", "notify"}, not: slices.Concat(system, []string{"database/sql"})},
		{path: "notify/notifytest", ours: []string{"messaging", "notify", "internal"}, wallTime: true},
		{path: "notify/traced", ours: []string{"notify", "observe"}, not: slices.Concat(network, system)},
		{path: "notify/webhook", ours: []string{"messaging", "notify", "internal"}, not: []string{"os", "flag", "database/sql"}},
		{path: "notify/trust", ours: []string{"messaging", "notify", "internal"}, not: []string{"os", "flag", "database/sql"}},
		// It runs the operator's mail command.
		{path: "notify/mail", ours: []string{"messaging", "notify", "internal"}, not: []string{"database/sql", "flag", "io/ioutil"}},
		{path: "storage", ours: []string{"messaging"}, not: slices.Concat(network, system)},
		{path: "storage/traced", ours: []string{"messaging", "storage"}, not: slices.Concat(network, system)},
		{path: "storage/memory", ours: []string{"messaging", "storage", "internal"}, not: slices.Concat(network, system)},
		{path: "storage/embedded", ours: []string{"messaging", "storage", "internal", "storage/embedded"}, not: slices.Concat(network, []string{"flag"})},
		{path: "storage/embedded/disk", ours: []string{"internal", "storage/embedded/disk"}, not: network},
		{path: "storage/storagetest", ours: []string{"messaging", "storage", "internal", "storage/memory"}, not: network, wallTime: true},
		{path: "pipeline", ours: []string{"messaging", "storage", "internal"}, not: slices.Concat(network, system)},
		{path: "pipeline/hook", ours: []string{"messaging", "pipeline", "storage"}, not: slices.Concat(system, []string{"database/sql"})},
		{path: "quota", ours: []string{"messaging", "storage", "internal"}, not: slices.Concat(network, system)},
		{path: "broker", ours: []string{"messaging", "quota", "storage", "internal"}, not: slices.Concat(network, system)},
		{path: "auth", ours: []string{"messaging", "internal", "auth"}, not: system},
		{path: "api", ours: []string{"api", "auth", "broker", "messaging", "quota", "internal"}, not: []string{"database/sql", "flag"}},
		{path: "api/wire", ours: []string{"api/wire", "auth", "broker", "messaging", "quota", "internal"}, not: slices.Concat(network, []string{"flag"})},
		{path: "api/wire/wiretest", ours: []string{"api/wire", "internal"}}, // replays cases over HTTP
		{path: "api/edge", ours: []string{"api/conn", "api/wire", "internal"}, not: []string{"database/sql", "flag"}},
		{path: "observe", ours: nil, not: []string{"flag"}, wallTime: true},
		{path: "observe/trace", not: slices.Concat(system, []string{"database/sql"})},
		{path: "observe/metrics", ours: []string{"internal"}, not: slices.Concat(system, []string{"database/sql"})},
		{path: "internal", ours: []string{"internal"}},
		{path: "internal/need", surround: true},
		{path: "internal/testenv", surround: true},
		{path: "internal/certtest", wallTime: true},
		{path: "internal/testwait", wallTime: true},
		{path: "app", ours: []string{"pipeline", "api", "auth", "broker", "messaging", "quota", "storage", "observe", "notify", "internal"}, not: []string{"flag", "os/signal"}, wallTime: true},
		{path: "config", ours: []string{"app", "api", "auth", "broker", "messaging", "observe", "config", "notify", "quota", "internal"}, not: []string{"os/signal"}, surround: true},
		{path: "app/apptest", ours: []string{"app"}},
		{path: "config/ini", ours: []string{"internal"}, not: slices.Concat(network, system)},
		{path: "bench", ours: []string{"bench", "storage/embedded/disk", "internal"}, not: []string{"flag"}, wallTime: true, surround: true},
		{path: "cli", ours: []string{"app", "auth/policy", "bench", "config", "messaging", "observe", "internal"}, wallTime: true, surround: true},
		{path: "cmd", ours: []string{"cli"}},
		// Built as others build theirs.
		{path: "examples", ours: []string{"app", "cli", "messaging", "pipeline", "storage"}},
		// Tests of the whole may use everything.
		{path: "test", ours: []string{""}, wallTime: true, surround: true},
	}
}

// drivers are the packages that only app may know.
func drivers() []string { return []string{"storage/memory", "storage/embedded"} }

// noDriver is a package below a driver that does not store messages: access
// to files.
const noDriver = "storage/embedded/disk"

type pkg struct {
	ImportPath, Dir  string
	Imports, GoFiles []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "zaqar/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	// Reading the directories makes go test forget a cached result when a file
	// comes or goes.
	if err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() && path != "../.." && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("only %d packages found", len(all))
	}
	return all
}

// under reports whether path is dir or below it.
func under(path, dir string) bool {
	return dir == "" || path == dir || strings.HasPrefix(path, dir+"/")
}

func ruleFor(path string) (rule, bool) {
	var best rule
	found := false
	for _, r := range rules() {
		if under(path, r.path) && (!found || len(r.path) > len(best.path)) {
			best, found = r, true
		}
	}
	return best, found
}

// breach says what is wrong with an import, or nothing.
func breach(from, imported string, r rule) string {
	ours, isOurs := strings.CutPrefix(imported, "zaqar/")
	allowed := func(dir string) bool { return under(ours, dir) }
	// Addresses are values, unlike the rest of net.
	forbidden := func(dir string) bool { return under(imported, dir) && imported != "net/netip" }
	switch {
	case !isOurs && slices.ContainsFunc(r.not, forbidden):
		return from + " may not import " + imported
	case isOurs && !slices.ContainsFunc(r.ours, allowed):
		return from + " may not import " + imported
	}
	if from == "app" || under(from, "test") || under(from, "examples") || from == "storage/storagetest" {
		return ""
	}
	for _, d := range drivers() {
		if isOurs && under(ours, d) && !under(from, d) && ours != noDriver {
			return from + " may not know the driver " + imported
		}
	}
	return ""
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, "zaqar/")
		r, ok := ruleFor(path)
		if !ok {
			t.Errorf("no rule says what %s may import; rules() and docs/architecture.md need one", path)
			continue
		}
		for _, imported := range p.Imports {
			if b := breach(path, imported, r); b != "" {
				t.Error(b)
			}
		}
	}
}

// TestRulesCanFail has imports that no rule may let pass.
func TestRulesCanFail(t *testing.T) {
	for _, c := range [][2]string{
		{"messaging", "zaqar/storage"}, {"messaging", "net/http"}, {"messaging", "log/slog"},
		{"storage", "zaqar/broker"}, {"storage/memory", "zaqar/storage/embedded"},
		{"storage/embedded/disk", "zaqar/storage"}, {"storage/embedded", "zaqar/broker"},
		{"broker", "net/http"}, {"broker", "zaqar/storage/memory"}, {"broker", "zaqar/api/rest"}, {"broker", "os"},
		{"api/rest", "zaqar/storage"}, {"api/rest", "zaqar/storage/embedded"}, {"api/rest", "zaqar/app"},
		{"auth/policy", "zaqar/storage"}, {"observe", "zaqar/messaging"}, {"internal/checksum", "zaqar/messaging"},
		{"app", "zaqar/config"}, {"config", "zaqar/storage/memory"}, {"cli", "zaqar/broker"}, {"cmd/zaqar", "zaqar/app"}, {"examples/custom", "zaqar/broker"},
		{"notify/trust", "zaqar/auth/keystone"}, {"notify/confirm", "zaqar/auth/signed"}, {"notify/trust", "os"}, {"notify/confirm", "os"},
		{"bench", "zaqar/app"}, {"bench/load", "zaqar/storage/embedded"},
	} {
		r, ok := ruleFor(c[0])
		if !ok || breach(c[0], c[1], r) == "" {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
}

// TestClockAndSurroundings finds uses of the wall clock and of the environment
// below app: time is a part that is handed in, and configuration is config's.
func TestClockAndSurroundings(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, "zaqar/")
		r, _ := ruleFor(path)
		for _, name := range p.GoFiles {
			file := filepath.Join(p.Dir, name)
			for _, use := range uses(t, file) {
				if !r.wallTime && slices.Contains([]string{"time.Now", "time.Since", "time.Until"}, use.name) {
					t.Errorf("%s: %s uses %s", use.at, path, use.name)
				}
				if !r.surround && slices.Contains([]string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.Args"}, use.name) {
					t.Errorf("%s: %s uses %s", use.at, path, use.name)
				}
			}
		}
	}
}

type use struct {
	name string // package.Name
	at   token.Position
}

// uses lists the selections from time and os in a file.
func uses(t *testing.T, file string) []use {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []use
	ast.Inspect(tree, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && (x.Name == "time" || x.Name == "os") {
				found = append(found, use{x.Name + "." + s.Sel.Name, set.Position(s.Pos())})
			}
		}
		return true
	})
	return found
}
