// Package report turns measurements into ratios with their spread, beside the
// targets they are to reach, as a table and as JSON.
package report

import (
	"encoding/json"
	"io"
	"slices"
	"time"
)

// Report is one run of the benchmark.
type Report struct {
	Begun    time.Time         `json:"begun"`
	Machine  Machine           `json:"machine"`
	Settings map[string]string `json:"settings"`
	Rows     []*Row            `json:"rows"`
	Notes    []string          `json:"notes,omitempty"`
}

// Machine is where it ran.
type Machine struct {
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	System string `json:"system"`
	Load   string `json:"load"` // averages when it began
}

// Row is one question and what was measured to answer it: pairs, whose ratios
// count, or plain values.
type Row struct {
	Name   string    `json:"name"`
	What   string    `json:"what"`
	Pairs  []Pair    `json:"pairs,omitempty"`
	Values []float64 `json:"values,omitempty"`
	Unit   string    `json:"unit,omitempty"` // of Values
	Target Target    `json:"target"`
	Result Spread    `json:"result"` // of the ratios or values
}

// Target is what a row is to reach; 0 stands for none.
type Target struct {
	Floor float64 `json:"floor,omitempty"`
	Aim   float64 `json:"aim,omitempty"`
	Less  bool    `json:"less,omitempty"` // less is better
}

// Pair is two measurements made one right after the other.
type Pair struct {
	This  Sample  `json:"this"`
	Other Sample  `json:"other"`
	Ratio float64 `json:"ratio"`
}

// Sample is one measurement. Times are seconds.
type Sample struct {
	Of        string             `json:"of"`
	Seconds   float64            `json:"seconds"`
	Requests  int64              `json:"requests"`
	Messages  int64              `json:"messages,omitempty"`
	Rate      float64            `json:"rate"` // requests a second
	P50       float64            `json:"p50"`
	P99       float64            `json:"p99"`
	Max       float64            `json:"max"`
	P50Of     map[string]float64 `json:"p50_of,omitempty"` // by kind of request
	P99Of     map[string]float64 `json:"p99_of,omitempty"`
	ServerCPU float64            `json:"server_cpu"`
	ClientCPU float64            `json:"client_cpu"`
	Resident  int64              `json:"resident,omitempty"` // bytes of the server at the end
	Written   int64              `json:"written,omitempty"`  // bytes to disk meanwhile
}

// Spread is where the middle of some numbers lies, and their ends.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// SpreadOf returns the spread of at least one number.
func SpreadOf(xs []float64) Spread {
	if len(xs) == 0 {
		return Spread{}
	}
	s := slices.Sorted(slices.Values(xs))
	mid := s[len(s)/2]
	if len(s)%2 == 0 {
		mid = (s[len(s)/2-1] + mid) / 2
	}
	return Spread{Median: mid, Min: s[0], Max: s[len(s)-1]}
}

// Finish works out the result of the row.
func (r *Row) Finish() {
	xs := r.Values
	if len(r.Pairs) > 0 {
		xs = nil
		for _, p := range r.Pairs {
			xs = append(xs, p.Ratio)
		}
	}
	r.Result = SpreadOf(xs)
}

// Verdict says how the result compares with the target.
func (r *Row) Verdict() string {
	reached := func(target float64) bool {
		if r.Target.Less {
			return r.Result.Median <= target
		}
		return r.Result.Median >= target
	}
	switch t := r.Target; {
	case t.Floor == 0:
		return ""
	case reached(t.Aim):
		return "aim"
	case reached(t.Floor):
		return "floor"
	}
	return "BELOW"
}

// WriteJSON writes the whole report.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
