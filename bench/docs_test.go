package bench

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"zaqar/bench/load"
	"zaqar/bench/report"
)

// TestDocs finds what docs/benchmark.md forgets.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("../docs/benchmark.md")
	if err != nil {
		t.Fatal(err)
	}
	docs := string(text)
	for _, k := range kinds() {
		if !strings.Contains(docs, "\n| `"+k.name+"` |") {
			t.Errorf("scenario %s is not described", k.name)
		}
	}
	for _, v := range []any{
		report.Report{}, report.Machine{}, report.Row{}, report.Target{}, report.Pair{}, report.Sample{},
		report.Latency{}, report.Account{}, report.Spread{}, load.Finding{},
	} {
		of := reflect.TypeOf(v)
		for i := range of.NumField() {
			name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(docs, `"`+name+`"`) && !strings.Contains(docs, `"`+name+`?"`) {
				t.Errorf("%s: member %q is not described", of, name)
			}
		}
	}
}
