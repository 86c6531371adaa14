package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"zaqar/app"
)

// Program is a program of one's own that is Zaqar and something more.
type Program struct {
	// Version is what it calls itself; empty: by the revision of its source.
	Version string
	app.Extensions
}

// Main carries out the command line of the process and ends it.
func Main(p Program) {
	os.Exit(p.run(context.Background(), arguments(os.Args), os.Stdout, os.Stderr))
}

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1 // it could not be done
	exitUsage   = 2 // it was asked for wrongly
)

// arguments returns what follows the name of the program. A link to it that
// has the name of an older program stands for the command that took its place.
func arguments(args []string) []string {
	if len(args) == 0 {
		return nil
	}
	if filepath.Base(args[0]) == "zaqar-bench" {
		return append([]string{"bench", "workers"}, args[1:]...)
	}
	return args[1:]
}

// run carries out one command line and returns the exit code.
func (prog Program) run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := prog.command()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var reported reportedError
	var failure failureError
	var coded codedError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &coded):
		if !errors.As(err, &reported) {
			fmt.Fprintln(stderr, "zaqar:", err)
		}
		return coded.code
	case errors.As(err, &reported):
		return exitFailure
	case errors.As(err, &failure):
		fmt.Fprintln(stderr, "zaqar:", err)
		return exitFailure
	default:
		fmt.Fprintln(stderr, "zaqar:", err)
		return exitUsage
	}
}

// failureError is a command that was well formed and failed.
type failureError struct{ error }

// Unwrap returns what failed.
func (e failureError) Unwrap() error { return e.error }

// reportedError is a failure that the user has been told of.
type reportedError struct{ error }

// codedError is an error of a command with exit codes of its own.
type codedError struct {
	error
	code int
}

// Unwrap returns what failed.
func (e codedError) Unwrap() error { return e.error }

func (prog Program) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "zaqar",
		Short: "Multi-tenant queues and messages over HTTP, compatible with OpenStack Zaqar",
		Long: `Zaqar is a multi-tenant cloud messaging service: queues, messages and claims
over HTTP, compatible with every client of OpenStack Zaqar v2, in one binary
that needs nothing installed.

Without configuration, "zaqar server" listens on 127.0.0.1:8888 and keeps
messages in a crash-safe store on the local disk.`,
		Example: `  zaqar server
  zaqar server --config-file /etc/zaqar/zaqar.conf
  zaqar config check --config-file /etc/zaqar/zaqar.conf
  curl -i http://127.0.0.1:8888/`,
		Args:          subcommand,
		RunE:          printHelp,
		Version:       prog.version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("zaqar {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(prog.serverCommand(), prog.configCommand(), prog.policyCommand(), prog.storeCommand(), prog.statusCommand(), prog.benchCommand(), prog.versionCommand())
	return root
}

// subcommand refuses words after a command that only groups others.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("; %q lists what there is", cmd.CommandPath()+" --help")
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %q?", near[0])
	}
	return fmt.Errorf("unknown command %q of %q%s", args[0], cmd.CommandPath(), hint)
}

func printHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

func (prog Program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "zaqar", prog.version())
			return err
		},
	}
}

// version is the version set at build time, else that of the source.
func (prog Program) version() string {
	if prog.Version != "" {
		return prog.Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
