package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"zaqar/app"
)

func (prog Program) compactCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compact [DIRECTORY]",
		Short: "Give back the space of what is gone, in a store that is stopped",
		Long: `Give back the space of deleted and expired messages, until nothing is gained any
more. A running server does this by itself, all the time: the command is for
a store that is stopped, for example before it is moved. Run it as the user of
the server, to whom the new files must belong. It may be interrupted.

The newest segment and the one made ready for what comes stay as they are, 64 MiB
each. "zaqar store backup" makes a copy without what is only made ready.

JSON: dir, before and after {segments, log, live}, in bytes.`,
		Example: `  zaqar store compact
  zaqar store compact --data-dir /srv/zaqar --json`,
		Args: cobra.MaximumNArgs(1),
	}
	t := prog.storeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return t.run(cmd, oneDirectory(args), func(ctx context.Context, tools app.Tools) error {
			if err := ownStore(tools.Dir); err != nil {
				return err
			}
			r, err := tools.Compact(ctx)
			if app.IsLocked(err) {
				return fmt.Errorf("%w\na server is running on this store, and compacts it by itself", err)
			}
			if err != nil {
				return err
			}
			if t.asJSON {
				return printJSON(cmd.OutOrStdout(), r)
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "before: %s in %s, %s live\n", size(r.Before.Log), count(r.Before.Segments, "segment"), size(r.Before.Live))
			fmt.Fprintf(out, "after:  %s in %s, %s live\n", size(r.After.Log), count(r.After.Segments, "segment"), size(r.After.Live))
			return nil
		})
	}
	return cmd
}

// ownStore refuses the store of another user, whose server could not open what
// is written into it.
func ownStore(dir string) error {
	info, err := os.Stat(filepath.Join(dir, "FORMAT"))
	if err != nil {
		return nil //nolint:nilerr // whoever opens the store says what is wrong
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the store in %s belongs to user %d: run this as that user, or the server cannot open it any more", dir, st.Uid)
	}
	return nil
}
