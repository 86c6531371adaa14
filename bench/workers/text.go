package workers

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%s, queues %s-0 to -%d\n\n", r.Params.Server, r.Params.QueuePrefix, r.Params.Queues-1)
	if err := r.table(w); err != nil {
		return err
	}
	p := &r.Producer
	if p.TargetRate > 0 {
		fmt.Fprintf(w, "\nTarget rate: %g posts/s. Latencies of posts count from when they were due; %d were due and not made.\n", p.TargetRate, p.Missed)
	}
	r.account(w)
	if r.Interrupted {
		fmt.Fprint(w, "\nThe run was interrupted before its time was over.\n")
	}
	for i, f := range r.Failures {
		if i == 0 {
			fmt.Fprint(w, "\nFAILED\n")
		}
		fmt.Fprintln(w, "-", f)
	}
	return nil
}

// table writes a line for each kind of request.
func (r *Report) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\tworkers\tseconds\trequests\tfailed\treq/s\tmsg/s\tmean ms\tp50\tp95\tp99\tmax\t\n")
	group := func(name string, g Group, of *Rates, perSecond float64) {
		fmt.Fprintf(t, "%s\t%d × %d\t%.1f\t%d\t%d\t%.0f\t%.0f", name, g.Processes, g.Workers, of.Duration, of.Requests, of.Requests-of.Successful, of.PerSecond, perSecond)
	}
	part := func(mean float64, l *Latency) {
		fmt.Fprintf(t, "\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t\n", mean, l.P50, l.P95, l.P99, l.Max)
	}
	if g := r.Params.Producer.Group; g.connections() > 0 {
		group("producers", g, &r.Producer.Rates, r.Producer.MessagesPerSecond)
		part(r.Producer.Mean, &r.Producer.Latency)
	}
	if g := r.Params.Consumer.Group; g.connections() > 0 {
		c := &r.Consumer
		group("consumers", g, &c.Rates, c.MessagesPerSecond)
		fmt.Fprint(t, "\t\t\t\t\t\t\n")
		const indent = "\t\t\t\t\t\t"
		fmt.Fprint(t, "claims"+indent)
		part(c.ClaimMean, &c.ClaimLatency)
		fmt.Fprint(t, "deletes"+indent)
		part(c.DeleteMean, &c.DeleteLatency)
		if l := &c.EndToEnd; r.Messages.Checked {
			fmt.Fprintf(t, "post to claim"+indent+"\t\t%.2f\t%.2f\t%.2f\t%.2f\t\n", l.P50, l.P95, l.P99, l.Max)
		}
	}
	if g := r.Params.Observer.Group; g.connections() > 0 {
		group("observers", g, &r.Observer.Rates, r.Observer.MessagesPerSecond)
		part(r.Observer.Mean, &r.Observer.Latency)
	}
	return t.Flush()
}

// account writes what became of the messages.
func (r *Report) account(w io.Writer) {
	m := &r.Messages
	if !m.Checked {
		return
	}
	fmt.Fprintf(w, "\nMessages: %d posted, %d claimed, %d deleted, %d left\n", m.Posted, m.Claimed, m.Deleted, m.Left)
	for _, c := range []struct {
		n    int
		what string
	}{
		{m.Expired, "neither deleted nor left, and old enough to have expired"},
		{m.Foreign, "posted by others"},
		{m.Unsure, "posted by requests that were not answered well"},
		{m.Redelivered, "claimed again after a claim had ended"},
	} {
		if c.n > 0 {
			fmt.Fprintf(w, "  %d %s\n", c.n, c.what)
		}
	}
	fmt.Fprintf(w, "  lost %d, duplicated %d, reordered %d, phantom %d, deleted twice %d, undead %d, skipped %d, altered %d\n",
		m.Lost, m.Duplicated, m.Reordered, m.Phantom, m.DeletedTwice, m.Undead, m.Skipped, m.Altered)
}
