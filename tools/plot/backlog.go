package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// backlog draws the rate of requests against what waits in the queue: the
// median of the samples as a line, all of them as bars.
func backlog(b []byte) (*plot.Plot, error) {
	var report struct {
		Rows []struct {
			Name   string
			Result struct{ Median, Min, Max float64 }
		}
	}
	if err := json.Unmarshal(b, &report); err != nil {
		return nil, err
	}
	var rates bars
	top := 0.0
	for _, r := range report.Rows {
		depth, ok := strings.CutPrefix(r.Name, "backlog-")
		if !ok {
			continue
		}
		n, err := number(depth)
		if err != nil {
			return nil, err
		}
		rates.XYs = append(rates.XYs, plotter.XY{X: n, Y: r.Result.Median})
		rates.low = append(rates.low, r.Result.Median-r.Result.Min)
		rates.high = append(rates.high, r.Result.Max-r.Result.Median)
		top = max(top, r.Result.Max)
	}
	if len(rates.XYs) < 2 {
		return nil, errors.New("it has fewer than two backlogs")
	}
	p := picture("Post 10, claim 10, bulk delete, 16 connections", "messages waiting in the queue", "requests a second")
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, decades{}
	p.Y.Min, p.Y.Max = 0, top*1.15
	if err := line(p, "median; bars: all samples", rates.XYs, blue, true); err != nil {
		return nil, err
	}
	e, err := plotter.NewYErrorBars(rates)
	if err != nil {
		return nil, err
	}
	e.Color = blue
	p.Add(e)
	return p, nil
}

type bars struct {
	plotter.XYs
	low, high []float64
}

// YError implements plotter.YErrorer.
func (b bars) YError(i int) (low, high float64) { return b.low[i], b.high[i] }

// number reads 10k and 3M.
func number(s string) (float64, error) {
	unit := 1.0
	for suffix, u := range map[string]float64{"k": 1e3, "M": 1e6} {
		if digits, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = digits, u
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	return n * unit, err
}

// decades marks 1,000, 10,000 and so on.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(low, high float64) (ticks []plot.Tick) {
	for e := math.Floor(math.Log10(low)); e <= math.Ceil(math.Log10(high)); e++ {
		ticks = append(ticks, plot.Tick{Value: math.Pow(10, e), Label: short(math.Pow(10, e))})
	}
	return ticks
}

func short(n float64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%g M", n/1e6)
	case n >= 1e3:
		return fmt.Sprintf("%g k", n/1e3)
	}
	return fmt.Sprintf("%g", n)
}
