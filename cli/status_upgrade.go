package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"zaqar/app"
	"zaqar/config"
)

// Exit codes of the upgrade check, as scripts know them (operations §7.6).
const (
	upgradeWarning    = 1
	upgradeFailure    = 2
	upgradeUnexpected = 255
)

func (prog Program) upgradeCommand() *cobra.Command {
	group := &cobra.Command{
		Use:   "upgrade",
		Short: "Check what an operator of an older server brings along",
		Args:  subcommand,
		RunE:  printHelp,
	}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration and its stores before a change of server",
		Long: `Check whether this server can take over with a configuration: keys that are not
understood, a policy file in JSON, a missing or public encryption key, a missing
secret of pre-signed URLs, stores that are not offered or do not open.

The exit code is 0 when every check succeeded, 1 when the worst is a warning, 2
when one failed, and 255 when the check itself could not be done, also because
the command line was not understood.

JSON: result (success, warning or failure), files, checks [{check, result,
details}].`,
		Example: `  zaqar status upgrade check
  zaqar status upgrade check --config-file /etc/zaqar/zaqar.conf
  zaqar status upgrade check --json | jq '.checks[] | select(.result != "success")'`,
		Args: func(cmd *cobra.Command, args []string) error { return unexpected(cobra.NoArgs(cmd, args)) },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return unexpected(err) })
	src := prog.sources(cmd.Flags())
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return upgradeCheck(cmd.Context(), *src, cmd.OutOrStdout(), *asJSON)
	}
	group.AddCommand(cmd)
	return group
}

func unexpected(err error) error {
	if err == nil {
		return nil
	}
	return codedError{err, upgradeUnexpected}
}

func upgradeCheck(ctx context.Context, src config.Sources, out io.Writer, asJSON bool) error {
	c, checks := config.UpgradeChecks(src)
	checks = append(checks, storeOpens(ctx, c))
	worst := config.Success
	for _, check := range checks {
		if check.Result == config.Failure || worst == config.Success {
			worst = check.Result
		}
	}
	var err error
	if asJSON {
		err = printJSON(out, map[string]any{"result": worst, "files": orEmpty(c.Files), "checks": checks})
	} else {
		err = printChecks(out, checks)
	}
	switch {
	case err != nil:
		return unexpected(err)
	case worst == config.Caution:
		return reportedError{errors.New("warnings")}
	case worst == config.Failure:
		return codedError{reportedError{errors.New("failures")}, upgradeFailure}
	}
	return nil
}

// storeOpens checks the store that the configuration names.
func storeOpens(ctx context.Context, c *config.Config) config.Check {
	check := config.Check{Name: "the store opens", Result: config.Success, Details: []string{}}
	dir, err := c.Options.Store.Directory()
	if err != nil {
		check.Details = append(check.Details, "not tried: "+err.Error())
		return check
	}
	fail := func(o config.Outcome, format string, args ...any) {
		check.Result = o
		check.Details = append(check.Details, fmt.Sprintf(format, args...))
	}
	at, err := app.Tools{Dir: dir}.Glance(ctx)
	switch {
	case errors.Is(err, app.ErrNoStore):
		check.Details = append(check.Details, fmt.Sprintf("there is none in %s yet; a start makes it", dir))
	case errors.Is(err, fs.ErrPermission):
		fail(config.Failure, "%s: %s", dir, notMine(err))
	case err != nil:
		fail(config.Failure, "%v", err)
	case !at.Healthy:
		fail(config.Failure, "%s: %s", dir, strings.Join(at.Problems, "; "))
	case at.Quarantine > 0:
		fail(config.Caution, "%s holds %s that were set aside", dir, count(at.Quarantine, "damaged segment"))
	}
	return check
}

func printChecks(out io.Writer, checks []config.Check) error {
	var b strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&b, "%-8s %s\n", c.Result, c.Name)
		for _, d := range c.Details {
			fmt.Fprintf(&b, "         - %s\n", d)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}
