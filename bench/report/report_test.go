package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"zaqar/bench/report"
)

func TestSpread(t *testing.T) {
	tests := []struct {
		xs   []float64
		want report.Spread
	}{
		{nil, report.Spread{}},
		{[]float64{3}, report.Spread{Median: 3, Min: 3, Max: 3}},
		{[]float64{5, 1, 3}, report.Spread{Median: 3, Min: 1, Max: 5}},
		{[]float64{4, 1, 3, 2}, report.Spread{Median: 2.5, Min: 1, Max: 4}},
	}
	for _, tt := range tests {
		if got := report.SpreadOf(tt.xs); got != tt.want {
			t.Errorf("%v: got %+v, want %+v", tt.xs, got, tt.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	more, less := report.Target{Floor: 0.45, Aim: 0.6}, report.Target{Floor: 1.3, Aim: 1.15, Less: true}
	tests := []struct {
		target report.Target
		value  float64
		want   string
	}{
		{more, 0.6, "aim"}, {more, 0.59, "floor"}, {more, 0.45, "floor"}, {more, 0.44, "BELOW"},
		{less, 1.15, "aim"}, {less, 1.2, "floor"}, {less, 1.3, "floor"}, {less, 1.31, "BELOW"},
		{report.Target{}, 7, ""},
	}
	for _, tt := range tests {
		r := report.Row{Target: tt.target, Values: []float64{tt.value}}
		r.Finish()
		if got := r.Verdict(); got != tt.want {
			t.Errorf("%v against %+v: got %q, want %q", tt.value, tt.target, got, tt.want)
		}
	}
}

func example() *report.Report {
	pairs := &report.Row{Name: "post", What: "post ÷ null", Target: report.Target{Floor: 0.45, Aim: 0.6}}
	for _, rate := range []float64{500, 700, 400} {
		pairs.Pairs = append(pairs.Pairs, report.Pair{
			This:  report.Sample{Of: "zaqar", Seconds: 1, Requests: int64(rate), Rate: rate, P50: 0.001, ServerCPU: rate * 40e-6, ClientCPU: rate * 10e-6},
			Other: report.Sample{Of: "null", Seconds: 1, Requests: 1000, Rate: 1000, P50: 0.0005, ServerCPU: 0.02, ClientCPU: 0.01},
			Ratio: rate / 1000,
		})
	}
	pairs.Finish()
	value := &report.Row{Name: "idle", What: "idle memory", Unit: "MB", Values: []float64{13.6}, Target: report.Target{Floor: 50, Aim: 20, Less: true}}
	value.Finish()
	return &report.Report{Rows: []*report.Row{pairs, value}, Notes: []string{"a note"}}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := example().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	lines := map[string][]string{}
	for line := range strings.Lines(b.String()) {
		for _, name := range []string{"post ÷ null", "idle memory", "a note"} {
			if i := strings.Index(line, name); i >= 0 {
				lines[name] = strings.Fields(line[i+len(name):])
			}
		}
	}
	for name, want := range map[string]string{
		"post ÷ null": "0.50 0.40 0.70 0.45 0.6 floor 0.60 500 1000µs 0µs 40µs 0.02 1000 500µs 0µs 20µs 0.02 0.01",
		"idle memory": "13.6 13.6 13.6 50 20 aim MB",
		"a note":      "",
	} {
		if got := strings.Join(lines[name], " "); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestJSONHoldsEverything(t *testing.T) {
	var b bytes.Buffer
	want := example()
	if err := want.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got report.Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 2 || got.Rows[0].Result != want.Rows[0].Result || got.Rows[0].Pairs[1].This.Rate != 700 || got.Notes[0] != "a note" {
		t.Errorf("got %+v", got)
	}
}
