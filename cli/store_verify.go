package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"zaqar/app"
)

func (prog Program) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [DIRECTORY]",
		Short: "Read every byte of a store and name what is damaged",
		Long: `Read every byte of a store, or of a backup, and name every damaged record: the
file, the offset, what it was, of which queue and message, and whether that
message was still there. Segments are compared with their index files, records
with each other, a backup with its list of files. The store may be stopped or in
use. Nothing is changed.

What a crash or a power cut left unfinished at the end of the log is no damage:
it was never acknowledged. Damage to the very last commit cannot be told from
that. Nor can it be known of a stopped store that a whole file of its log was
removed; of a backup it can.

The exit code is 0 when nothing is damaged, 1 when something is or when it could
not be told.

JSON: dir, store (identity), backup (when it was made, for one), clean, damage
[{file, offset, bytes, problem, record, project, queue, message, known_from,
acknowledged, live}], notes [{file, text}], segments, indexes, records, messages,
bytes. known_from is index, or record when damaged bytes speak for themselves;
live is missing where it is not known.`,
		Example: `  zaqar store verify
  zaqar store verify --data-dir /srv/zaqar
  zaqar store verify /backup/zaqar-2026-11-22
  zaqar store verify --json | jq '.damage[] | select(.live != false)'`,
		Args: cobra.MaximumNArgs(1),
	}
	t := prog.storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		damaged := false
		err := t.run(cmd, oneDirectory(args), func(ctx context.Context, tools app.Tools) error {
			v, err := tools.Verify(ctx)
			if err != nil {
				return err
			}
			damaged = !v.Clean
			if t.asJSON {
				return printJSON(cmd.OutOrStdout(), v)
			}
			printVerified(cmd.OutOrStdout(), v)
			return nil
		})
		if err == nil && damaged {
			return reportedError{errors.New("the store is damaged")}
		}
		return err
	}
	return cmd
}

// printVerified writes the result for people.
func printVerified(out io.Writer, v *app.StoreVerified) {
	for _, n := range v.Notes {
		fmt.Fprintf(out, "%s: note: %s\n", n.File, n.Text)
	}
	for i := range v.Damage {
		fmt.Fprintln(out, damageLine(&v.Damage[i]))
	}
	what := "the store"
	if v.Backup != "" {
		what = "the backup of " + v.Backup
	}
	verdict := "nothing is damaged"
	if !v.Clean {
		verdict = fmt.Sprintf("%s of damage", count(len(v.Damage), "case"))
	}
	fmt.Fprintf(out, "%s in %s: %s; %s, %d records, %d messages, %s read\n", what, v.Dir, verdict,
		count(v.Segments, "segment"), v.Records, v.Messages, size(v.Bytes))
}

func damageLine(d *app.StoreDamage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: DAMAGE", d.File)
	if d.Bytes > 0 {
		fmt.Fprintf(&b, " of %d bytes at offset %d", d.Bytes, d.Offset)
	}
	fmt.Fprintf(&b, ": %s", d.Problem)
	if d.Record != "" {
		fmt.Fprintf(&b, "; a %s", d.Record)
	}
	if d.Message != "" {
		fmt.Fprintf(&b, " %s", d.Message)
	}
	if d.Queue != "" {
		fmt.Fprintf(&b, " of queue %q, project %q", d.Queue, d.Project)
	}
	if d.Source == "record" && d.Record != "" {
		b.WriteString(", by what is left of it")
	}
	switch {
	case d.Live != nil && *d.Live:
		b.WriteString("; the message is lost")
	case d.Live != nil:
		b.WriteString("; it had been deleted or had expired: nothing is lost")
	}
	return b.String()
}
