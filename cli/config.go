package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"zaqar/config"
)

func (prog Program) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print a sample configuration, check one, show what is in force",
		Args:  subcommand,
		RunE:  printHelp,
	}
	cmd.AddCommand(prog.sampleCommand(), prog.checkCommand(), prog.showCommand())
	return cmd
}

func (prog Program) sampleCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "sample",
		Short:   "Print a commented configuration of everything that has an effect",
		Example: `  zaqar config sample > zaqar.conf`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return config.Sample(cmd.OutOrStdout())
		},
	}
}

func (prog Program) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report every mistake of a configuration at once",
		Long: `Report every mistake of a configuration at once: errors, which keep the server
from starting, and warnings. The configuration is found as the server finds
it; the flags are the server's.

The exit code is 0 without errors, 1 with errors.`,
		Example: `  zaqar config check
  zaqar config check --config-file /etc/zaqar/zaqar.conf
  zaqar config check --json | jq '.findings[] | select(.severity == "error")'`,
		Args: cobra.NoArgs,
	}
	src := prog.sources(cmd.Flags())
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, report := config.Load(*src)
		return check(cmd.OutOrStdout(), c.Files, c.Join(report, c.MissingFiles()), *asJSON)
	}
	return cmd
}

// check prints the report; errors in it make it fail.
func check(out io.Writer, files []string, report config.Report, asJSON bool) error {
	errs, warnings := len(report.Errors()), len(report.Warnings())
	var err error
	if asJSON {
		err = printJSON(out, map[string]any{
			"files": orEmpty(files), "errors": errs, "warnings": warnings, "findings": orEmpty(report),
		})
	} else {
		for _, f := range files {
			fmt.Fprintln(out, "read", f)
		}
		if len(files) == 0 {
			fmt.Fprintln(out, "no configuration file found")
		}
		_, err = fmt.Fprintf(out, "%s%s, %s\n", report, count(errs, "error"), count(warnings, "warning"))
	}
	if err == nil && errs > 0 {
		return reportedError{errors.New("the configuration has errors")}
	}
	return err
}

func (prog Program) showCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the configuration in force, secrets masked",
		Long: `Print the configuration that a server started with the same flags would have,
and where each value that is not a default comes from. Secrets are stars.`,
		Example: `  zaqar config show --config-file /etc/zaqar/zaqar.conf`,
		Args:    cobra.NoArgs,
	}
	src := prog.sources(cmd.Flags())
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, report := config.Load(*src)
		if errs := report.Errors(); len(errs) > 0 {
			fmt.Fprint(cmd.ErrOrStderr(), errs)
			return failureError{fmt.Errorf("%s in the configuration", count(len(errs), "error"))}
		}
		return show(cmd.OutOrStdout(), c, *asJSON)
	}
	return cmd
}

func show(out io.Writer, c *config.Config, asJSON bool) error {
	if !asJSON {
		_, err := io.WriteString(out, c.Masked())
		return err
	}
	type value struct {
		Value  string         `json:"value"`
		Origin *config.Origin `json:"origin,omitempty"` // none: the default
	}
	sections := map[string]map[string]value{}
	for _, v := range c.Values {
		if sections[v.Section] == nil {
			sections[v.Section] = map[string]value{}
		}
		shown := value{Value: v.Shown()}
		if v.Origin != (config.Origin{}) {
			shown.Origin = &v.Origin
		}
		sections[v.Section][v.Key] = shown
	}
	return printJSON(out, map[string]any{"files": orEmpty(c.Files), "sections": sections})
}

func printJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// orEmpty makes nil an empty array in JSON.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
