package report

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"
)

// WriteTable writes the report for people: first the ratios, then the plain
// values.
func (r *Report) WriteTable(w io.Writer) error {
	fmt.Fprintf(w, "%d CPUs, %s, %s, load %s, %s\n\n", r.Machine.CPUs, r.Machine.Go, r.Machine.System,
		r.Machine.Load, r.Begun.Format(time.DateTime))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "pairs\tratio\tmin\tmax\tfloor\taim\t\tby work\tthis/s\tp50\tp99\tCPU/req\tcores\tother/s\tp50\tp99\tCPU/req\tcores\tclient\t\n")
	for _, row := range r.Rows {
		if len(row.Pairs) > 0 {
			row.pairs(t)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "values\tmedian\tmin\tmax\tfloor\taim\t\tunit\t\n")
	for _, row := range r.Rows {
		if len(row.Pairs) == 0 {
			s := row.Result
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", row.What, short(s.Median), short(s.Min), short(s.Max),
				row.Target.columns(), row.Verdict(), row.Unit)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, "\nby work: the ratio of the CPU time of server and client for a request; it hardly depends on what else the machine does.\n"+
		"CPU/req and cores: of the server. All figures are medians of the pairs.\n")
	for _, n := range r.Notes {
		fmt.Fprintln(w, "-", n)
	}
	return nil
}

func (r *Row) pairs(w io.Writer) {
	s := r.Result
	fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.2f\t%s\t%s", r.What, s.Median, s.Min, s.Max, r.Target.columns(), r.Verdict())
	var cpu []float64
	for _, p := range r.Pairs {
		cpu = append(cpu, p.Other.work()/p.This.work())
	}
	fmt.Fprintf(w, "\t%.2f", SpreadOf(cpu).Median)
	for _, side := range []func(*Pair) *Sample{
		func(p *Pair) *Sample { return &p.This },
		func(p *Pair) *Sample { return &p.Other },
	} {
		of := func(f func(*Sample) float64) float64 {
			var xs []float64
			for i := range r.Pairs {
				xs = append(xs, f(side(&r.Pairs[i])))
			}
			return SpreadOf(xs).Median
		}
		fmt.Fprintf(w, "\t%.0f\t%s\t%s\t%s\t%.2f",
			of(func(s *Sample) float64 { return s.Rate }),
			micros(of(func(s *Sample) float64 { return s.P50 })),
			micros(of(func(s *Sample) float64 { return s.P99 })),
			micros(of((*Sample).perRequest)),
			of(func(s *Sample) float64 { return s.ServerCPU / s.Seconds }))
	}
	var client []float64
	for _, p := range r.Pairs {
		client = append(client, p.This.ClientCPU/p.This.Seconds)
	}
	fmt.Fprintf(w, "\t%.2f\t\n", SpreadOf(client).Median)
}

// work returns the CPU time that server and client spent on one request. Where
// the two share a machine that has nothing else to do and work is what limits
// them, the rates have the inverse ratio; unlike the rates it hardly changes
// when others use the machine.
func (s *Sample) work() float64 {
	return (s.ServerCPU + s.ClientCPU) / float64(max(1, s.Requests))
}

// perRequest returns the CPU time that the server spent on one request.
func (s *Sample) perRequest() float64 { return s.ServerCPU / float64(max(1, s.Requests)) }

func (t Target) columns() string {
	text := func(x float64) string {
		if x == 0 {
			return ""
		}
		return short(x)
	}
	return text(t.Floor) + "\t" + text(t.Aim)
}

func micros(seconds float64) string { return fmt.Sprintf("%.0fµs", seconds*1e6) }

// short writes a number with three digits that count.
func short(x float64) string {
	if x >= 100 || x == float64(int64(x)) {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
