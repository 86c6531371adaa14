package storagetest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestStatements keeps STATEMENTS.md true: it has a row for each statement, the
// row names the tests of the statement, and every test is named.
func TestStatements(t *testing.T) {
	text, err := os.ReadFile("STATEMENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(text)) {
		if regexp.MustCompile(`^\| \d+ \|`).MatchString(line) {
			rows = append(rows, line)
		}
	}
	if len(rows) != 150 {
		t.Fatalf("%d rows, want 150", len(rows))
	}
	var tests []string
	for _, g := range groups() {
		for _, p := range g.promises {
			tests = append(tests, g.name+": "+p.name)
		}
	}
	if n := len(slices.Compact(slices.Sorted(slices.Values(tests)))); n != len(tests) {
		t.Errorf("%d of %d names are used twice", len(tests)-n, len(tests))
	}
	named := regexp.MustCompile("`([^`]+: [^`]+)`").FindAllStringSubmatch(string(text), -1)
	for _, m := range named {
		if !slices.Contains(tests, m[1]) {
			t.Errorf("no test is called %q", m[1])
		}
	}
	for _, name := range tests {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("test %q is not named", name)
		}
	}
	for i, row := range rows {
		n := i + 1
		if !strings.HasPrefix(row, fmt.Sprintf("| %d |", n)) {
			t.Fatalf("row %d is %s", n, row)
		}
		tested := strings.Contains(row, fmt.Sprintf(": S%d ", n))
		excused := strings.Contains(row, "| elsewhere: ") || strings.Contains(row, "| later: ")
		if tested == excused {
			t.Errorf("statement %d needs either a test or a reason for none: %s", n, row)
		}
	}
}
