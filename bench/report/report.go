// Package report turns measurements into ratios with their spread, beside the
// targets they are to reach, as a table and as JSON.
//
// The names of the JSON are a promise to scripts that read it; docs/benchmark.md
// describes them. Times are seconds, sizes bytes.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// Report is one run of the benchmark.
type Report struct {
	Version  string         `json:"version"` // of this program
	Begun    time.Time      `json:"begun"`
	Machine  Machine        `json:"machine"`
	Settings map[string]any `json:"settings"`
	Rows     []*Row         `json:"rows"`
	Notes    []string       `json:"notes,omitempty"`
	// Error says why the benchmark failed, and Findings what was wrong with
	// which messages if that was it.
	Error    string `json:"error,omitempty"`
	Findings any    `json:"findings,omitempty"`
}

// Machine is where it ran.
type Machine struct {
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	System string `json:"system"`
	Load   string `json:"load"` // averages when it began
}

// Row is one question and what was measured to answer it: pairs, whose ratios
// count, samples, whose rates count, or plain values.
type Row struct {
	Name    string    `json:"name"`
	What    string    `json:"what"`
	Pairs   []Pair    `json:"pairs,omitempty"`
	Samples []Sample  `json:"samples,omitempty"`
	Values  []float64 `json:"values,omitempty"`
	Unit    string    `json:"unit,omitempty"` // of the result
	Target  *Target   `json:"target,omitempty"`
	Verdict string    `json:"verdict,omitempty"` // aim, floor or BELOW, if there is a target
	Result  Spread    `json:"result"`
	// ByWork is the median of the ratios of the CPU time of server and client
	// for a request, the other's to this one's; 0 if that is not known.
	ByWork float64 `json:"by_work,omitempty"`
}

// Target is what a row is to reach.
type Target struct {
	Floor float64 `json:"floor"`
	Aim   float64 `json:"aim"`
	Less  bool    `json:"less,omitempty"` // less is better
}

// Pair is two measurements made one right after the other.
type Pair struct {
	This  Sample  `json:"this"`
	Other Sample  `json:"other"`
	Ratio float64 `json:"ratio"` // 0 if there is nothing to compare with
}

// Sample is one measurement.
type Sample struct {
	Of        string             `json:"of"`
	Seconds   float64            `json:"seconds"`
	Requests  int64              `json:"requests"`
	Messages  int64              `json:"messages,omitempty"` // posted, listed or claimed
	Rate      float64            `json:"rate"`               // requests a second; of messages received where that counts
	P50       float64            `json:"p50"`
	P95       float64            `json:"p95"`
	P99       float64            `json:"p99"`
	Max       float64            `json:"max"`
	P50Of     map[string]float64 `json:"p50_of,omitempty"` // by kind of request
	P99Of     map[string]float64 `json:"p99_of,omitempty"`
	Received  int64              `json:"received,omitempty"` // messages, by connections that wait for them
	Delivery  *Latency           `json:"delivery,omitempty"` // from post to receipt
	Account   *Account           `json:"account,omitempty"`
	ServerCPU float64            `json:"server_cpu,omitempty"` // 0: not known
	ClientCPU float64            `json:"client_cpu"`
	Resident  int64              `json:"resident,omitempty"` // of the server at the end
	Written   int64              `json:"written,omitempty"`  // to disk meanwhile
	Redials   int64              `json:"redials,omitempty"`  // the server closed so many connections
	Behind    int64              `json:"behind,omitempty"`   // steps that were due and not begun
}

// Latency is how long something took.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Account is how many messages were accounted for.
type Account struct {
	Posted  int `json:"posted"`
	Claimed int `json:"claimed"`
	Deleted int `json:"deleted"`
	Left    int `json:"left"`
}

// Spread is where the middle of some numbers lies, their quartiles and ends.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Q1     float64 `json:"q1"`
	Q3     float64 `json:"q3"`
	Max    float64 `json:"max"`
}

// SpreadOf returns the spread of at least one number.
func SpreadOf(xs []float64) Spread {
	if len(xs) == 0 {
		return Spread{}
	}
	s := slices.Sorted(slices.Values(xs))
	return Spread{Median: quantile(s, 0.5), Min: s[0], Q1: quantile(s, 0.25), Q3: quantile(s, 0.75), Max: s[len(s)-1]}
}

// quantile interpolates between the two sorted numbers next to it.
func quantile(s []float64, q float64) float64 {
	at := q * float64(len(s)-1)
	i := int(at)
	if i+1 >= len(s) {
		return s[i]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}

// Over returns a ÷ b; 0 if b is 0, as when a short measurement saw no answer.
func Over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// Finish works out the result of the row.
func (r *Row) Finish() {
	xs := r.Values
	if len(r.Pairs)+len(r.Samples) > 0 {
		xs = nil
	}
	var work []float64
	for _, p := range r.Pairs {
		xs = append(xs, p.Ratio)
		if this, other := p.This.work(), p.Other.work(); this > 0 && other > 0 {
			work = append(work, other/this)
		}
	}
	for _, s := range r.Samples {
		xs = append(xs, s.Rate)
	}
	r.Result, r.ByWork = SpreadOf(xs), SpreadOf(work).Median
	r.Verdict = r.Target.verdict(r.Result.Median)
}

// verdict says how a result compares with the target.
func (t *Target) verdict(result float64) string {
	if t == nil {
		return ""
	}
	reached := func(target float64) bool {
		if t.Less {
			return result <= target
		}
		return result >= target
	}
	switch {
	case reached(t.Aim):
		return "aim"
	case reached(t.Floor):
		return "floor"
	}
	return "BELOW"
}

// Summary is the result in a few words.
func (r *Row) Summary() string {
	s := r.Result
	text := short(s.Median)
	if s.Min != s.Max {
		text += fmt.Sprintf(" (%s to %s)", short(s.Min), short(s.Max))
	}
	for _, more := range []string{r.Unit, r.Verdict} {
		if more != "" {
			text += " " + more
		}
	}
	return text
}

// work returns the CPU time that server and client spent on one request, or 0.
// Where the two share a machine that has nothing else to do and work is what
// limits them, the rates have the inverse ratio; unlike the rates it hardly
// changes when others use the machine.
func (s *Sample) work() float64 {
	if s.ServerCPU == 0 {
		return 0
	}
	return (s.ServerCPU + s.ClientCPU) / s.counted()
}

// counted is how many requests, or messages received, the rate is made of.
func (s *Sample) counted() float64 { return max(1, s.Rate*s.Seconds) }

// WriteJSON writes the whole report.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
