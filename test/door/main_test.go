package main

import (
	"bytes"
	"os"
	"regexp"
	"testing"
	"time"
)

// TestDoor measures shortly. Wrong answers and a cold cache are errors.
func TestDoor(t *testing.T) {
	o := options{binary: os.Getenv("ZAQAR_BINARY"), dir: t.TempDir(), scenarios: "post-1", connections: 2, rounds: 1, duration: 100 * time.Millisecond}
	var out bytes.Buffer
	if err := run(t.Context(), o, nil, &out, os.Stderr); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`keystone: with ÷ without\n`, `all: with ÷ without\n`, `post 1 ÷ \S+ +\d`} {
		if !regexp.MustCompile(want).Match(out.Bytes()) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if err := run(t.Context(), o, []string{"none"}, &out, os.Stderr); err == nil {
		t.Error("a comparison that there is not")
	}
}
