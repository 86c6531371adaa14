package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// busy is the share of a window from which on it is shaded.
const busy = 0.25

// age draws the latency of posts over the time of a run, on a ground that is
// shaded while the log was compacted.
func age(b []byte) (*plot.Plot, error) {
	type window struct {
		Kind       string
		T          float64
		P50        float64 `json:"post_p50_us"`
		P99        float64 `json:"post_p99_us"`
		Compacting float64
	}
	var windows []window
	for d := json.NewDecoder(bytes.NewReader(b)); ; {
		var w window
		if err := d.Decode(&w); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if w.Kind == "day" && w.P99 > 0 {
			windows = append(windows, w)
		}
	}
	if len(windows) < 2 {
		return nil, errors.New("it has fewer than two windows")
	}
	var p50, p99 plotter.XYs
	top := 0.0
	for _, w := range windows {
		p50 = append(p50, plotter.XY{X: w.T, Y: w.P50 / 1e3})
		p99 = append(p99, plotter.XY{X: w.T, Y: w.P99 / 1e3})
		top = max(top, w.P99/1e3)
	}
	p := picture("Posts while the log is compacted", "seconds of the run", "milliseconds")
	p.Y.Min, p.Y.Max = 0, top*1.2
	for i, w := range windows {
		if w.Compacting < busy {
			continue
		}
		from := 0.0
		if i > 0 {
			from = windows[i-1].T
		}
		box, err := plotter.NewPolygon(plotter.XYs{{X: from, Y: 0}, {X: w.T, Y: 0}, {X: w.T, Y: p.Y.Max}, {X: from, Y: p.Y.Max}})
		if err != nil {
			return nil, err
		}
		box.Color, box.Width = shade, 0
		p.Add(box)
	}
	if err := line(p, "p99", p99, red, false); err != nil {
		return nil, err
	}
	if err := line(p, "p50", p50, blue, false); err != nil {
		return nil, err
	}
	return p, nil
}
