package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"zaqar/app"
)

func (prog Program) backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup TO",
		Short: "Copy a store, also while a server runs on it",
		Long: `Copy a store to the directory TO, which must be new or empty; the directory that
TO is in must exist. The store may be stopped or in use: everything acknowledged
before the backup began is in it.

The copy is a store. To restore, stop the server, and copy what is in TO into an
empty data directory, or start the server with --data-dir TO.

While it is made the backup is in TO.partial; it gets its name when it is
complete and on disk. TO cannot be a mount point: name a directory in it. Damage
does not keep the backup from being made: it is copied with the rest, told, and
makes the exit code 1.

JSON: from, to, store (identity), made, segments, bytes, damage [{segment,
offset, bytes, problem}], verified (with --verify: what "zaqar store verify --json"
prints).`,
		Example: `  zaqar store backup /backup/zaqar-$(date +%F)
  zaqar store backup --data-dir /srv/zaqar --verify /backup/zaqar
  zaqar store backup --rate 20 /var/backups/zaqar`,
		Args: cobra.ExactArgs(1),
	}
	t := prog.storeFlags(cmd)
	verify := cmd.Flags().Bool("verify", false, "read the copy back and verify it")
	rate := cmd.Flags().Int64("rate", 0, "copy at most so many `MiB` a second, for the sake of a server on the same disk; 0: as fast as possible")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *rate < 0 {
			return fmt.Errorf("--rate %d is below zero", *rate)
		}
		damaged := false
		err := t.run(cmd, "", func(ctx context.Context, tools app.Tools) error {
			begun := time.Now()
			copying := tools
			copying.Progress = paced(ctx, *rate<<20, tools.Progress)
			b, err := copying.Backup(ctx, args[0])
			if err != nil {
				return err
			}
			if *verify {
				copied := tools
				copied.Dir = b.To
				b.Verified, err = copied.Verify(ctx)
				switch {
				case ctx.Err() != nil:
					return fmt.Errorf("interrupted; the backup is in %s, not verified", b.To)
				case err != nil:
					return fmt.Errorf("the backup is in %s, but could not be verified: %w", b.To, err)
				}
			}
			damaged = len(b.Damage) > 0 || b.Verified != nil && !b.Verified.Clean
			if t.asJSON {
				return printJSON(cmd.OutOrStdout(), b)
			}
			printBackup(cmd.OutOrStdout(), b, time.Since(begun))
			return nil
		})
		if err == nil && damaged {
			return reportedError{errors.New("the backup has damage")}
		}
		return err
	}
	return cmd
}

// paced makes work wait where it tells of its progress, so that it does no more
// than rate bytes a second; 0 is without limit.
func paced(ctx context.Context, rate int64, tell func(app.StoreProgress)) func(app.StoreProgress) {
	if rate == 0 {
		return tell
	}
	begun := time.Now()
	return func(now app.StoreProgress) {
		tell(now)
		due := begun.Add(time.Duration(float64(now.Done) / float64(rate) * float64(time.Second)))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
		}
	}
}

// printBackup writes the result for people.
func printBackup(out io.Writer, b *app.StoreBackup, took time.Duration) {
	for _, d := range b.Damage {
		fmt.Fprintf(out, "DAMAGE of %d bytes at offset %d of segment %d, in the store and in its backup: %s\n", d.Bytes, d.Offset, d.Segment, d.Problem)
	}
	fmt.Fprintf(out, "backup of %s in %s: %s, %s, in %s\n", b.From, b.To, count(b.Segments, "segment"), size(b.Bytes), took.Round(time.Millisecond))
	if b.Verified != nil {
		printVerified(out, b.Verified)
	}
}
