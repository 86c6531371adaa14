package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestMemoryIsMeasured has "make memory" run tests that there are: what it names
// and nobody has would be left out without a word.
func TestMemoryIsMeasured(t *testing.T) {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^memory:.*\n(?:\t.*\n)*?\tgo test -run '([^']+)' (.+)$`).FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("the Makefile does not run the tests of memory")
	}
	var tests []string
	for _, dir := range strings.Fields(m[2]) {
		files, err := filepath.Glob(filepath.Join("../..", dir, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Errorf("no tests in %s: %v", dir, err)
		}
		for _, file := range files {
			code, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(code), -1) {
				tests = append(tests, f[1])
			}
		}
	}
	for _, name := range strings.Split(m[1], "|") {
		if !slices.ContainsFunc(tests, func(test string) bool { return strings.HasPrefix(test, name) }) {
			t.Errorf("make memory names %s, which is no test", name)
		}
	}
}
