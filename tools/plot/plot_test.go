package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPictures(t *testing.T) {
	for _, c := range []struct{ kind, json, want string }{
		{"backlog", `{"rows": [
			{"name": "backlog-10k", "result": {"median": 5, "min": 4, "max": 6}},
			{"name": "post-1", "result": {"median": 50}},
			{"name": "backlog-1M", "result": {"median": 4, "min": 4, "max": 4.5}}]}`, ">1 M<"},
		{"age", `{"kind": "day", "t": 1, "post_p50_us": 300, "post_p99_us": 900, "compacting": 0}
			{"kind": "stall", "event": "purge"}
			{"kind": "day", "t": 2, "post_p50_us": 320, "post_p99_us": 1200, "compacting": 0.9}`, ">p99<"},
		{"backlog", `{"rows": []}`, ""},
		{"backlog", `{"rows": [{"name": "backlog-x"}, {"name": "backlog-1k"}]}`, ""},
		{"age", ``, ""},
		{"age", `{`, ""},
		{"other", `{}`, ""},
	} {
		from, to := filepath.Join(t.TempDir(), "in.json"), filepath.Join(t.TempDir(), "out.svg")
		if err := os.WriteFile(from, []byte(c.json), 0o600); err != nil {
			t.Fatal(err)
		}
		err := run([]string{c.kind, from, to})
		if c.want == "" {
			if err == nil {
				t.Errorf("%s of %s was drawn", c.kind, c.json)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.kind, err)
			continue
		}
		if b, err := os.ReadFile(to); err != nil || !strings.Contains(string(b), c.want) {
			t.Errorf("%s: no %q in it (%v)", c.kind, c.want, err)
		}
	}
}
