package house

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// apart are directories whose packages have little in common, so that naming
// the directory names none of them.
func apart() []string { return []string{"api", "auth", "internal", "test"} }

// placed reports whether one of the names on the map is the package, or what
// the package is a part of.
func placed(path string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return path == name || under(path, name) && !slices.Contains(apart(), name)
	})
}

// TestMap holds docs/architecture.md against the packages: each is on it, and
// what it names is there.
func TestMap(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile("`([a-z0-9]+(?:/[a-z0-9]+)*)`").FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	for _, p := range packages(t) {
		if path := strings.TrimPrefix(p.ImportPath, "zaqar/"); !placed(path, names) {
			t.Errorf("docs/architecture.md does not say what %s is for", path)
		}
	}
	for _, name := range names {
		dir, _, below := strings.Cut(name, "/")
		if _, err := os.Stat("../../" + dir); !below || err != nil {
			continue // a word, or a name of something else
		}
		if _, err := os.Stat("../../" + name); err != nil {
			t.Errorf("docs/architecture.md names %s, which is not there", name)
		}
	}
}

// TestMapCanFail has packages that a map does not show.
func TestMapCanFail(t *testing.T) {
	for path, want := range map[string]bool{
		"bench": true, "bench/load": true, "benches": false, "internal/egress": true, "internal/new": false, "test/new": false,
	} {
		if got := placed(path, []string{"bench", "internal", "internal/egress", "test"}); got != want {
			t.Errorf("%s is placed: %v", path, got)
		}
	}
}
