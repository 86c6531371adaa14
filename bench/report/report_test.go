package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
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
		{[]float64{3}, report.Spread{Median: 3, Min: 3, Q1: 3, Q3: 3, Max: 3}},
		{[]float64{5, 1, 3}, report.Spread{Median: 3, Min: 1, Q1: 2, Q3: 4, Max: 5}},
		{[]float64{4, 1, 3, 2}, report.Spread{Median: 2.5, Min: 1, Q1: 1.75, Q3: 3.25, Max: 4}},
	}
	for _, tt := range tests {
		if got := report.SpreadOf(tt.xs); got != tt.want {
			t.Errorf("%v: got %+v, want %+v", tt.xs, got, tt.want)
		}
	}
}

func TestVerdict(t *testing.T) {
	more, less := &report.Target{Floor: 0.45, Aim: 0.6}, &report.Target{Floor: 1.3, Aim: 1.15, Less: true}
	tests := []struct {
		target *report.Target
		value  float64
		want   string
	}{
		{more, 0.6, "aim"}, {more, 0.59, "floor"}, {more, 0.45, "floor"}, {more, 0.44, "BELOW"},
		{less, 1.15, "aim"}, {less, 1.2, "floor"}, {less, 1.3, "floor"}, {less, 1.31, "BELOW"},
		{nil, 7, ""},
	}
	for _, tt := range tests {
		r := report.Row{Target: tt.target, Values: []float64{tt.value}}
		r.Finish()
		if got := r.Verdict; got != tt.want {
			t.Errorf("%v against %+v: got %q, want %q", tt.value, tt.target, got, tt.want)
		}
	}
}

func example() *report.Report {
	pairs := &report.Row{Name: "post", What: "post ÷ null", Target: &report.Target{Floor: 0.45, Aim: 0.6}}
	for _, rate := range []float64{500, 700, 400} {
		pairs.Pairs = append(pairs.Pairs, report.Pair{
			This:  report.Sample{Of: "zaqar", Seconds: 1, Requests: int64(rate), Rate: rate, P50: 0.001, ServerCPU: rate * 40e-6, ClientCPU: rate * 10e-6},
			Other: report.Sample{Of: "null", Seconds: 1, Requests: 1000, Rate: 1000, P50: 0.0005, ServerCPU: 0.02, ClientCPU: 0.01},
			Ratio: rate / 1000,
		})
	}
	pairs.Finish()
	value := &report.Row{Name: "idle", What: "idle memory", Unit: "MB", Values: []float64{13.6}, Target: &report.Target{Floor: 50, Aim: 20, Less: true}}
	value.Finish()
	rates := &report.Row{Name: "list", What: "listing", Samples: []report.Sample{
		{Of: "far", Seconds: 2, Requests: 200, Rate: 100, P50: 0.2, P99: 0.5, Max: 1.5, ClientCPU: 0.2, Written: 20e6,
			Delivery: &report.Latency{Count: 5, P50: 0.001, P99: 0.002, Max: 0.003}},
	}}
	rates.Finish()
	return &report.Report{Rows: []*report.Row{pairs, rates, value}, Notes: []string{"a note"}}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := example().WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	for _, want := range []string{
		"post ÷ null 0.50 0.40 0.70 0.45 0.6 floor 0.60 zaqar 500 1000µs 0µs 0µs 40µs 0.02 - - 0.01",
		"null 1000 500µs 0µs 0µs 20µs 0.02 - - 0.01",
		"listing far 100 100 100 200ms 500ms 1.50s - - - 20MB 0.10",
		"delivery 1000µs 2000µs 3000µs",
		"idle memory 13.6 13.6 13.6 50 20 aim MB",
		"- a note",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in\n%s", want, &b)
		}
	}
}

func TestTableOfValuesOnly(t *testing.T) {
	r := example()
	r.Rows = r.Rows[2:]
	var b bytes.Buffer
	if err := r.WriteTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, unwanted := range []string{"pairs", "scenario", "CPU/req"} {
		if strings.Contains(b.String(), unwanted) {
			t.Errorf("%q in\n%s", unwanted, &b)
		}
	}
}

func TestSummary(t *testing.T) {
	for want, r := range map[string]report.Row{
		"0.5 (0.25 to 0.75) floor": {Values: []float64{0.25, 0.5, 0.75}, Target: &report.Target{Floor: 0.45, Aim: 0.6}},
		"13.6 MB":                  {Values: []float64{13.6}, Unit: "MB"},
		"1200 requests/s":          {Samples: []report.Sample{{Rate: 1200}}, Unit: "requests/s"},
	} {
		r.Finish()
		if got := r.Summary(); got != want {
			t.Errorf("got %q, want %q", got, want)
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
	if len(got.Rows) != 3 || got.Rows[0].Result != want.Rows[0].Result || got.Rows[0].Pairs[1].This.Rate != 700 || got.Notes[0] != "a note" {
		t.Errorf("got %+v", got)
	}
}

func TestOver(t *testing.T) {
	for _, c := range [][3]float64{{1, 2, 0.5}, {0, 2, 0}, {3, 0, 0}, {0, 0, 0}} {
		if got := report.Over(c[0], c[1]); got != c[2] {
			t.Errorf("%v over %v is %v, want %v", c[0], c[1], got, c[2])
		}
	}
}
