package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTable writes the report for people: first the ratios, then the rates,
// then the plain values.
func (r *Report) WriteTable(w io.Writer) error {
	fmt.Fprintf(w, "%d CPUs, %s, %s, load %s, %s\n", r.Machine.CPUs, r.Machine.Go, r.Machine.System,
		r.Machine.Load, r.Begun.Format(time.DateTime))
	tables := []struct {
		head  string
		of    func(*Row) bool
		lines func(*Row) []string
	}{
		{pairsHead, func(r *Row) bool { return len(r.Pairs) > 0 }, (*Row).pairs},
		{samplesHead, func(r *Row) bool { return len(r.Samples) > 0 }, (*Row).samples},
		{valuesHead, func(r *Row) bool { return len(r.Values) > 0 }, (*Row).values},
	}
	for _, t := range tables {
		var lines []string
		for _, row := range r.Rows {
			if t.of(row) {
				lines = append(lines, t.lines(row)...)
			}
		}
		if lines == nil {
			continue
		}
		fmt.Fprintln(w)
		tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(tab, t.head)
		for _, line := range lines {
			fmt.Fprintln(tab, line)
		}
		if err := tab.Flush(); err != nil {
			return err
		}
	}
	r.legend(w)
	return nil
}

// legend explains the columns that do not explain themselves.
func (r *Report) legend(w io.Writer) {
	pairs, samples := false, false
	for _, row := range r.Rows {
		pairs = pairs || len(row.Pairs) > 0
		samples = samples || len(row.Samples) > 0
	}
	fmt.Fprintln(w)
	if pairs {
		fmt.Fprintln(w, "ratio: the median of the pairs, with their ends. by work: the ratio of the CPU time of server and")
		fmt.Fprintln(w, "client for a request; it hardly depends on what else the machine does.")
	}
	if pairs || samples {
		fmt.Fprintln(w, "/s: requests, and CPU/req for one; where clients wait, messages received. CPU/req, cores, memory,")
		fmt.Fprintln(w, "written: of the server, if its process is known. client: cores of this program. All are medians.")
	}
	for _, n := range r.Notes {
		fmt.Fprintln(w, "-", n)
	}
}

const (
	sampleHead  = "p50\tp99\tmax\tCPU/req\tcores\tmemory\twritten\tclient\t"
	pairsHead   = "pairs\tratio\tmin\tmax\tfloor\taim\t\tby work\tof\t/s\t" + sampleHead
	samplesHead = "scenario\tof\t/s\tmin\tmax\t" + sampleHead
	valuesHead  = "values\tmedian\tmin\tmax\tfloor\taim\t\tunit\t"
)

// pairs is a line for each side, and more for what was delivered.
func (r *Row) pairs() []string {
	var this, other []Sample
	for _, p := range r.Pairs {
		this, other = append(this, p.This), append(other, p.Other)
	}
	s := r.Result
	lines := []string{
		fmt.Sprintf("%s\t%.2f\t%.2f\t%.2f\t%s\t%s\t%s\t%s\t%s\t%s", r.What, s.Median, s.Min, s.Max, r.Target.columns(),
			r.Verdict, ratio(r.ByWork), this[0].Of, rate(this), columns(this)),
		fmt.Sprintf("\t\t\t\t\t\t\t\t%s\t%s\t%s", other[0].Of, rate(other), columns(other)),
	}
	for _, side := range [][]Sample{this, other} {
		if d := delivered(side); d != "" {
			lines = append(lines, "\t\t\t\t\t\t\t\t"+side[0].Of+"\tdelivery\t"+d)
		}
	}
	return lines
}

func (r *Row) samples() []string {
	s := r.Result
	lines := []string{fmt.Sprintf("%s\t%s\t%s\t%.0f\t%.0f\t%s", r.What, r.Samples[0].Of, rate(r.Samples), s.Min, s.Max, columns(r.Samples))}
	if d := delivered(r.Samples); d != "" {
		lines = append(lines, "\t\tdelivery\t\t\t"+d)
	}
	return lines
}

func (r *Row) values() []string {
	s := r.Result
	return []string{fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s\t", r.What, short(s.Median), short(s.Min), short(s.Max),
		r.Target.columns(), r.Verdict, r.Unit)}
}

// median returns the median of what f tells of the samples.
func median(of []Sample, f func(*Sample) float64) float64 {
	xs := make([]float64, len(of))
	for i := range of {
		xs[i] = f(&of[i])
	}
	return SpreadOf(xs).Median
}

func rate(of []Sample) string {
	return fmt.Sprintf("%.0f", median(of, func(s *Sample) float64 { return s.Rate }))
}

// columns are those of sampleHead.
func columns(of []Sample) string {
	cpu := "-\t-"
	if median(of, func(s *Sample) float64 { return s.ServerCPU }) > 0 {
		cpu = fmt.Sprintf("%s\t%.2f",
			micros(median(of, func(s *Sample) float64 { return s.ServerCPU / s.counted() })),
			median(of, func(s *Sample) float64 { return s.ServerCPU / s.Seconds }))
	}
	return strings.Join([]string{
		micros(median(of, func(s *Sample) float64 { return s.P50 })),
		micros(median(of, func(s *Sample) float64 { return s.P99 })),
		micros(median(of, func(s *Sample) float64 { return s.Max })),
		cpu,
		megabytes(median(of, func(s *Sample) float64 { return float64(s.Resident) })),
		megabytes(median(of, func(s *Sample) float64 { return float64(s.Written) })),
		fmt.Sprintf("%.2f", median(of, func(s *Sample) float64 { return s.ClientCPU / s.Seconds })),
	}, "\t") + "\t"
}

// delivered is p50, p99 and max of the time from post to receipt.
func delivered(of []Sample) string {
	for _, s := range of {
		if s.Delivery == nil {
			return ""
		}
	}
	return micros(median(of, func(s *Sample) float64 { return s.Delivery.P50 })) + "\t" +
		micros(median(of, func(s *Sample) float64 { return s.Delivery.P99 })) + "\t" +
		micros(median(of, func(s *Sample) float64 { return s.Delivery.Max })) + "\t\t\t\t\t\t"
}

func (t *Target) columns() string {
	if t == nil {
		return "\t"
	}
	return short(t.Floor) + "\t" + short(t.Aim)
}

// ratio writes what is known of a ratio.
func ratio(x float64) string {
	if x == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", x)
}

// micros writes a time, from a second on as such.
func micros(seconds float64) string {
	switch {
	case seconds >= 1:
		return fmt.Sprintf("%.2fs", seconds)
	case seconds >= 0.1:
		return fmt.Sprintf("%.0fms", seconds*1e3)
	}
	return fmt.Sprintf("%.0fµs", seconds*1e6)
}

// megabytes writes a size; 0 is not known, or nothing.
func megabytes(bytes float64) string {
	switch {
	case bytes <= 0:
		return "-"
	case bytes < 10e6:
		return fmt.Sprintf("%.1fMB", bytes/1e6)
	}
	return fmt.Sprintf("%.0fMB", bytes/1e6)
}

// short writes a number with three digits that count.
func short(x float64) string {
	if x >= 100 || x == float64(int64(x)) {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
