package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"zaqar/app"
	"zaqar/auth/policy"
	"zaqar/config"
)

func (prog Program) policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show who may do what, check files of rules",
		Args:  subcommand,
		RunE:  printHelp,
	}
	cmd.AddCommand(prog.policyListCommand(), prog.policyCheckCommand())
	return cmd
}

// policySource adds the flags that say where configuration is found, and
// returns where a server with it looks for rules.
func (prog Program) policySource(cmd *cobra.Command) func() (app.Policy, error) {
	src := prog.sources(cmd.Flags())
	return func() (app.Policy, error) {
		c, report := config.Load(*src)
		others := slices.DeleteFunc(report.Errors(), func(f config.Finding) bool { return f.Section == "oslo_policy" })
		if len(others) > 0 {
			fmt.Fprint(cmd.ErrOrStderr(), others)
			return app.Policy{}, failureError{fmt.Errorf("%s in the configuration", count(len(others), "error"))}
		}
		return c.Options.Policy, nil
	}
}

func (prog Program) policyListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print the rules in force, what they guard and their defaults",
		Long: `Print the rules that a server with the same configuration enforces. What is
printed is a file of rules: those that have their default are comments, so that
it can be the beginning of one's own.

JSON: files, rules [{name, check, default, changed, file, line, help, operations
[{method, path}]}]. Rules of one's own have no default and no operations.`,
		Example: `  zaqar policy list
  zaqar policy list --changed
  zaqar policy list > policy.yaml
  zaqar policy list --json | jq -r '.rules[] | select(.check == "") | .name'`,
		Args: cobra.NoArgs,
	}
	from := prog.policySource(cmd)
	changed := cmd.Flags().Bool("changed", false, "only rules that a file defines")
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		at, err := from()
		if err != nil {
			return err
		}
		rules, findings, files := at.Load()
		if rules == nil {
			printFindings(cmd.ErrOrStderr(), findings)
			return reportedError{errors.New("the policy has errors")}
		}
		list := listedRules(rules)
		if *changed {
			list = slices.DeleteFunc(list, func(r listedRule) bool { return r.File == "" })
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), map[string]any{"files": orEmpty(files), "rules": orEmpty(list)})
		}
		return printRules(cmd.OutOrStdout(), list)
	}
	return cmd
}

// listedRule is a rule as it is shown.
type listedRule struct {
	Name       string            `json:"name"`
	Check      string            `json:"check"`
	Default    *string           `json:"default,omitempty"`
	Changed    bool              `json:"changed"`
	File       string            `json:"file,omitempty"`
	Line       int               `json:"line,omitempty"`
	Help       string            `json:"help,omitempty"`
	Operations []listedOperation `json:"operations"`
}

type listedOperation struct {
	Method string `json:"method"`
	Path   string `json:"path"`
}

// listedRules lists the rules of the table, then the operator's own.
func listedRules(p *policy.Policy) []listedRule {
	var list []listedRule
	add := func(e policy.Effective, r policy.Rule, isNative bool) {
		l := listedRule{Name: e.Name, Check: e.Text, File: e.File, Line: e.Line, Help: r.Help, Operations: []listedOperation{}}
		if isNative {
			l.Default, l.Changed = &r.Default, e.Text != r.Default
		}
		for _, o := range r.Operations {
			l.Operations = append(l.Operations, listedOperation(o))
		}
		list = append(list, l)
	}
	for _, r := range policy.Rules() {
		if e, ok := p.Rule(r.Name); ok {
			add(e, r, true)
		}
	}
	for _, e := range p.Own() {
		add(e, policy.Rule{}, false)
	}
	return list
}

func printRules(out io.Writer, list []listedRule) error {
	var b strings.Builder
	for i, r := range list {
		if i > 0 {
			b.WriteString("\n")
		}
		if r.Help != "" {
			fmt.Fprintf(&b, "# %s\n", r.Help)
		}
		for _, o := range r.Operations {
			fmt.Fprintf(&b, "# %s %s\n", o.Method, o.Path)
		}
		comment := "#"
		if r.File != "" {
			comment = ""
			fmt.Fprintf(&b, "# set in %s:%d\n", r.File, r.Line)
			if r.Default != nil {
				fmt.Fprintf(&b, "# default: %s\n", strconv.Quote(*r.Default))
			}
		}
		fmt.Fprintf(&b, "%s%s: %s\n", comment, strconv.Quote(r.Name), strconv.Quote(r.Check))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func printFindings(out io.Writer, findings []policy.Finding) {
	for _, f := range findings {
		fmt.Fprintln(out, f)
	}
}
