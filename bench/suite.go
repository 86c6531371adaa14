package bench

import (
	"context"
	"fmt"
	"strings"

	"zaqar/bench/report"
)

// wants reports whether a row was asked for.
func (b *bench) wants(name string) bool { return b.Rows.MatchString(name) }

// measure measures everything that was asked for.
func (b *bench) measure(ctx context.Context) error {
	if b.Rounds < 1 {
		for _, mode := range b.modes() {
			if err := b.profiles(ctx, mode); err != nil {
				return err
			}
		}
		return nil
	}
	if err := b.starts(ctx, b.modes()[0]); err != nil {
		return err
	}
	for _, mode := range b.modes() {
		for _, part := range []func(context.Context, string) error{b.alone, b.againstNull, b.profiles} {
			if err := part(ctx, mode); err != nil {
				return err
			}
		}
	}
	return b.depths(ctx)
}

// TargetList names the rows of Targets and says what each is, a line each.
func TargetList() string {
	var s strings.Builder
	add := func(name, what string) { fmt.Fprintf(&s, "  %-22s%s\n", name, what) }
	for _, r := range []report.Row{startRow, idleRow, syncRow} {
		add(r.Name, r.What)
	}
	for _, r := range httpRows() {
		add(r.Name, r.what)
	}
	add("amplification", amplificationWhat)
	for _, d := range depthRows() {
		row := d.at(1_000_000)
		add(row.Name, row.What)
	}
	return s.String()
}
