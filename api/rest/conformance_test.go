package rest_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestConformance proves the statements of http-v2 §19, by their numbers,
// over HTTP. docs/conformance.md lists them.
func TestConformance(t *testing.T) { conformance(t, openMemory) }

// TestConformanceEmbedded proves the same over the store that servers use.
func TestConformanceEmbedded(t *testing.T) { conformance(t, openEmbedded) }

// statement is one line of the checklist.
type statement struct {
	number int
	name   string // what should hold, in words joined by underscores
	run    func(s *server)
	with   func(*setup) // nil: the defaults
}

func (st statement) String() string { return fmt.Sprintf("%03d_%s", st.number, st.name) }

func statements() []statement {
	pipeline := pipelineStatements()
	return slices.Concat(pipeline[:23], identityStatements(), pipeline[23:], queueStatements(), metadataStatements(), patchStatements(),
		queueListStatements(), statsStatements(), shareStatements(), postStatements(), readStatements(), removeStatements(),
		claimStatements(), deadLetterStatements(), encryptionStatements(), subscriptionStatements(), topicStatements(), adminStatements())
}

// conformance runs every statement on a server of its own.
func conformance(t *testing.T, open open) {
	for _, st := range statements() {
		t.Run(st.String(), func(t *testing.T) {
			if st.with == nil {
				st.run(newServer(t, open))
				return
			}
			st.run(newServer(t, open, st.with))
		})
	}
}

// TestConformanceDocument holds docs/conformance.md against the statements:
// all 256 are listed, each test named there exists, and each test is named.
func TestConformanceDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{} // number -> last column
	for _, row := range regexp.MustCompile(`(?m)^\| (\d+) \|.*\| ([^|]+) \|$`).FindAllStringSubmatch(string(text), -1) {
		if _, twice := listed[row[1]]; twice {
			t.Errorf("statement %s is listed twice", row[1])
		}
		listed[row[1]] = row[2]
	}
	tests := map[string]string{}
	for _, st := range statements() {
		n := fmt.Sprint(st.number)
		if tests[n] != "" {
			t.Errorf("statement %s has two tests", n)
		}
		tests[n] = fmt.Sprintf("`TestConformance/%s`", st)
	}
	const all = 256
	for i := range all {
		n := fmt.Sprint(i + 1)
		switch is, should := listed[n], tests[n]; {
		case is == "":
			t.Errorf("statement %s is not listed", n)
		case should == "" && !strings.HasPrefix(is, "later"):
			t.Errorf("statement %s has no test; the document says %s", n, is)
		case should != "" && is != should:
			t.Errorf("statement %s: the document says %s, the test is %s", n, is, should)
		}
	}
	if len(listed) != all {
		t.Errorf("%d statements are listed, want %d", len(listed), all)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
