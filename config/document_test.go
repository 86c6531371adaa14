package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	if err := Sample(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSampleLoadsAsItIs(t *testing.T) {
	c, r := load(t, sample(t))
	if len(r) > 0 {
		t.Errorf("%s", r)
	}
	if d := cmp.Diff(mustLoad(t, "").Options, c.Options, besides()); d != "" {
		t.Error(d)
	}
}

// TestSampleNamesTheDefaults takes every option out of its comment.
func TestSampleNamesTheDefaults(t *testing.T) {
	var text strings.Builder
	n := 0
	for line := range strings.Lines(sample(t)) {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			line = line[1:]
			n++
		}
		text.WriteString(line)
	}
	want := 0
	for _, s := range table() {
		want += s.active()
	}
	if n != want {
		t.Errorf("%d options in the sample, want %d", n, want)
	}
	c, r := load(t, text.String())
	if len(r) > 0 {
		t.Errorf("%s", r)
	}
	before := mustLoad(t, "")
	if d := cmp.Diff(before.Options, c.Options, besides()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(before.Log, c.Log); d != "" {
		t.Error(d)
	}
}

func TestSampleFitsATerminal(t *testing.T) {
	for line := range strings.Lines(sample(t)) {
		if strings.HasPrefix(line, "# ") && len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}
