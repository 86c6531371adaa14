package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"zaqar/app"
)

func (prog Program) infoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "info [DIRECTORY]",
		Short: "Tell what is in a store and what takes its space",
		Long: `Tell what is in a store: messages per project and, with --queues, per queue; the
oldest message; live and dead bytes; damage that is known of.

The store may be stopped or in use, or be a backup. What a start reads is read,
and as much memory is needed. Nothing is changed.

JSON: dir, format, store (identity), backup (when it was made, for one), refused
(why no start takes a backup that is not whole), failed, at, queues, messages,
claimed, delayed, notifications (kept for subscribers), oldest {project, queue,
message, posted}, space {segments, live, needed, dead,
reserved, index, quarantine, disk, free_on_disk}, projects [{project, queues,
messages, claimed, notifications, bytes}], per_queue [{project, queue, topic,
messages, claimed, delayed, notifications, bytes, oldest}] with --queues, damage
[{segment, offset, bytes, problem}], damaged_segments, quarantine [{name, bytes}].
Sizes are bytes, times are RFC 3339.`,
		Example: `  zaqar store info
  zaqar store info --data-dir /srv/zaqar --queues --limit 20
  zaqar store info --json --queues --limit 0 | jq '.per_queue[] | select(.messages > 1000)'`,
		Args: cobra.MaximumNArgs(1),
	}
	t := prog.storeFlags(cmd)
	queues := cmd.Flags().Bool("queues", false, "list queues, those that take most space first")
	limit := cmd.Flags().Int("limit", 50, "how many queues to list at most; 0: all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n := *limit
		switch {
		case n < 0:
			return fmt.Errorf("--limit %d is below zero", n)
		case !*queues:
			n = 0
		case n == 0:
			n = app.AllQueues
		}
		return t.run(cmd, oneDirectory(args), func(ctx context.Context, tools app.Tools) error {
			info, err := tools.Inspect(ctx, n)
			if err != nil {
				return err
			}
			if t.asJSON {
				return printJSON(cmd.OutOrStdout(), info)
			}
			return printInfo(cmd.OutOrStdout(), info, *queues)
		})
	}
	return cmd
}

// printInfo writes the info for people.
func printInfo(out io.Writer, in *app.StoreInfo, queues bool) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	row := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", label, fmt.Sprintf(format, args...))
	}
	row("store", "%s, format %d, in %s", in.Store, in.Format, in.Dir)
	if in.Backup != "" {
		row("", "a backup, made %s, not in use yet", in.Backup)
	}
	if in.Refused != "" {
		row("REFUSED", "a start does not take it: %s", in.Refused)
	}
	if in.Failed {
		row("FAILED", "a disk error has ended its writing; it needs a restart")
	}
	row("queues", "%d in %s", in.Queues, count(len(in.Projects), "project"))
	row("messages", "%d: %d claimed, %d delayed", in.Messages, in.Claimed, in.Delayed)
	if in.Parts > 0 {
		row("notifications", "%d kept for subscribers", in.Parts)
	}
	if o := in.Oldest; o != nil {
		row("oldest", "%s, %s old, in %q of project %q", o.Message, in.At.Sub(o.Posted).Round(time.Second), o.Queue, o.Project)
	}
	s := in.Space
	row("log", "%s, %s live, %s needed by older segments, %s dead", count(s.Segments, "segment"), size(s.Live), size(s.Needed), size(s.Dead))
	row("disk", "%s: %s reserved, %s index, %s quarantine; %s free", size(s.Disk), size(s.Reserved), size(s.Index), size(s.Quarantine), size(s.Free))
	for _, d := range in.Damage {
		row("DAMAGE", "%d bytes at offset %d of segment %d: %s", d.Bytes, d.Offset, d.Segment, d.Problem)
	}
	for _, name := range in.Damaged {
		row("DAMAGED", "%s; \"zaqar store verify\" tells what is lost", name)
	}
	for _, f := range in.Quarantine {
		row("quarantine", "%s, %s", f.Name, size(f.Bytes))
	}
	if len(in.Projects) > 0 {
		fmt.Fprint(w, "\nPROJECT\tQUEUES\tMESSAGES\tCLAIMED\tSIZE\n")
	}
	for _, p := range in.Projects {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", project(string(p.Project)), p.Queues, p.Messages, p.Claimed, size(p.Bytes))
	}
	if queues {
		printQueues(w, in)
	}
	return w.Flush()
}

// project writes the name of a project, which its tenant has chosen: what a
// terminal would not print but obey is escaped.
func project(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return cmp.Or(name, "(none)")
}

func printQueues(w io.Writer, in *app.StoreInfo) {
	if len(in.PerQueue) > 0 {
		fmt.Fprint(w, "\nPROJECT\tQUEUE\tMESSAGES\tCLAIMED\tDELAYED\tSIZE\tOLDEST\n")
	}
	for _, q := range in.PerQueue {
		age, name := "", q.Queue
		if q.Oldest != nil {
			age = in.At.Sub(*q.Oldest).Round(time.Second).String()
		}
		if q.Topic {
			name += " (topic)"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", project(string(q.Project)), name, q.Messages, q.Claimed, q.Delayed, size(q.Bytes), age)
	}
	if more := in.Queues - len(in.PerQueue); more > 0 {
		fmt.Fprintf(w, "and %d more; --limit 0 lists all\n", more)
	}
}
