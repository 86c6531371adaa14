package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"zaqar/app"
	"zaqar/config"
)

func (prog Program) storeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Inspect, verify, back up and compact the embedded store",
		Long: `Work on the directory of an embedded store. It is the one that --data-dir names,
else the one that a server with the same configuration would use.

info, verify and backup may be used while a server runs on the store: they only
read its files, without taking its lock, and need no more than the right to.

The exit code is 0 when it was done, 1 when it could not be done or when verify or
backup found damage, 2 when the command line was not understood.`,
		Example: `  zaqar store info --queues
  zaqar store verify --data-dir /srv/zaqar
  zaqar store backup --verify /backup/zaqar-$(date +%F)`,
		Args: subcommand,
		RunE: printHelp,
	}
	cmd.AddCommand(prog.infoCommand(), prog.verifyCommand(), prog.backupCommand(), prog.compactCommand())
	return cmd
}

// storeTool is what the commands on a store share.
type storeTool struct {
	src    *config.Sources
	asJSON bool
}

// storeFlags adds the flags that all of them have.
func (prog Program) storeFlags(cmd *cobra.Command) *storeTool {
	f := cmd.Flags()
	src := prog.system()
	t := &storeTool{src: &src}
	dataDirFlag(f, t.src)
	fileFlags(f, t.src)
	f.BoolVar(&t.asJSON, "json", false, "print one JSON object")
	return t
}

// run finds the store and has work do its part. dir is the one given as an
// argument, or empty.
func (t *storeTool) run(cmd *cobra.Command, dir string, work func(ctx context.Context, tools app.Tools) error) error {
	dir, err := t.directory(cmd.ErrOrStderr(), dir)
	if err != nil {
		return failureError{err}
	}
	ctx, stop := interruptible(cmd.Context())
	defer stop()
	p := newProgress(cmd.ErrOrStderr())
	err = work(ctx, app.Tools{Dir: dir, Progress: func(now app.StoreProgress) { p.tell(now) }})
	p.end()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return failureError{errors.New("interrupted")}
	case errors.Is(err, fs.ErrPermission) && within(dir, err):
		return failureError{fmt.Errorf("%w; the files of a store belong to the user of its server", err)}
	}
	return failureError{err}
}

// within reports whether the file that an error is about is in a directory, by
// whatever way that was reached.
func within(dir string, err error) bool {
	var at *fs.PathError
	if !errors.As(err, &at) {
		return false
	}
	real, _ := filepath.EvalSymlinks(dir) // where it cannot be told, no error names it
	return below(dir, at.Path) || real != "" && below(real, at.Path)
}

// below reports whether a path is that of a directory, or of something in it.
func below(dir, path string) bool {
	dir, err1 := filepath.Abs(dir)
	path, err2 := filepath.Abs(path)
	rest, err3 := filepath.Rel(dir, path)
	return errors.Join(err1, err2, err3) == nil && filepath.IsLocal(rest)
}

// directory returns where the store is. With a directory named on the command
// line, mistakes elsewhere in the configuration do not matter.
func (t *storeTool) directory(stderr io.Writer, dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	for _, f := range t.src.Flags {
		dir = f.Value
	}
	if dir != "" {
		return dir, nil
	}
	c, report := config.Load(*t.src)
	if errs := report.Errors(); len(errs) > 0 {
		fmt.Fprint(stderr, errs)
		return "", fmt.Errorf("%s in the configuration; name the directory of the store with --data-dir", count(len(errs), "error"))
	}
	return c.Options.Store.Directory()
}

// oneDirectory returns the argument, if there is one.
func oneDirectory(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
