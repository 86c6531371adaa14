package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// load reads a zaqar.conf with the given text, without anything else around.
func load(t *testing.T, text string) (*Config, Report) {
	t.Helper()
	return Load(sourcesOf(t, text))
}

func sourcesOf(t *testing.T, text string) Sources {
	t.Helper()
	return Sources{Given: []Source{{Path: write(t, filepath.Join(t.TempDir(), "zaqar.conf"), text)}}, Stages: []string{"mine"}, DataDir: "/data"}
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// value returns what the configuration says of an option.
func (c *Config) value(t *testing.T, section, key string) Value {
	t.Helper()
	for _, v := range c.Values {
		if v.Section == section && v.Key == key {
			return v
		}
	}
	t.Fatalf("no value of [%s] %s", section, key)
	return Value{}
}

// mustLoad fails on errors; warnings are fine.
func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	c, r := load(t, text)
	if errs := r.Errors(); len(errs) > 0 {
		t.Fatalf("errors:\n%s", errs)
	}
	return c
}

// only fails unless the report has exactly one finding of the severity, and
// that one has all the words.
func only(t *testing.T, r Report, s Severity, words ...string) Finding {
	t.Helper()
	found := r.only(s)
	if len(found) != 1 {
		t.Fatalf("%d findings of severity %s, want 1:\n%s", len(found), s, r)
	}
	line := found[0].String()
	for _, w := range words {
		if !strings.Contains(line, w) {
			t.Errorf("%q does not say %q", line, w)
		}
	}
	return found[0]
}
