package cli

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"zaqar/app"
	"zaqar/bench"
	"zaqar/observe"
)

// Servers that benchmarks start as processes of their own.

// benchNullCommand runs the null sink with the product's settings for
// connections and memory.
func (prog Program) benchNullCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "null",
		Short:  "Run the null sink",
		Hidden: true,
		Args:   cobra.NoArgs,
	}
	size := cmd.Flags().Int("size", 1024, "size of message bodies in `bytes`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		defer app.DefaultRuntime().Apply()()
		h := app.Defaults().HTTP
		server := &http.Server{ReadHeaderTimeout: h.HeaderTimeout, IdleTimeout: h.IdleTimeout, MaxHeaderBytes: int(h.MaxHeaderBytes)}
		if err := bench.ServeNull(ctx, server, *size, cmd.OutOrStdout()); err != nil {
			return failureError{err}
		}
		return nil
	}
	return cmd
}

// benchServeCommand runs the product with a second listener for profiles, and
// for the memory that is in use after a collection.
func (prog Program) benchServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:    "serve",
		Short:  "Run the server with a second listener for profiles",
		Hidden: true,
		Args:   cobra.NoArgs,
	}
	dir := cmd.Flags().String("data-dir", "", "data `directory`")
	access := cmd.Flags().String("access-log", "default", "default, on or off")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := serveInspected(cmd, *dir, *access); err != nil {
			return failureError{err}
		}
		return nil
	}
	return cmd
}

func serveInspected(cmd *cobra.Command, dir, access string) error {
	if dir == "" {
		return fmt.Errorf("--data-dir is needed")
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer app.DefaultRuntime().Apply()()
	log, err := observe.Open(observe.Config{Stdout: cmd.OutOrStdout()})
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	o := app.Defaults()
	o.Log, o.Access, o.HTTP.Port, o.Store.Dir = log.Logger, log.Access, 0, dir
	if access != "default" {
		o.AccessLog = access == "on"
	}
	if err := bench.Inspect(ctx, cmd.OutOrStdout()); err != nil {
		return err
	}
	a, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}
