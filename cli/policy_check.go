package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"zaqar/auth/policy"
	"zaqar/internal/spelling"
	"zaqar/messaging"
)

// exitDenied says that the caller that was asked about does not pass.
const exitDenied = 3

func (prog Program) policyCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE...]",
		Short: "Report every mistake in files of rules, or ask whether a caller passes one",
		Long: `Report every mistake in files of rules at once: errors, which keep the server
from starting and a running one from taking the file, and warnings. Without
FILE, the files are found as the server finds them.

With --rule, also decide that rule for the caller that the other flags describe
and say why. The caller acts on the own project unless --target-project says
otherwise.

The exit code is 0 without errors (with --rule: if the caller passes), 1 with
errors, 2 if the question makes no sense, 3 if the caller does not pass.

JSON: files, errors, warnings, findings [{file, line, rule, text, error}], and
with --rule: decision {rule, permitted, reason}, where a reason is {check,
passed, detail, parts}, and the parts are reasons again.`,
		Example: `  zaqar policy check
  zaqar policy check /etc/zaqar/policy.yaml.new
  zaqar policy check --rule queues:get --roles member,reader --project p1
  zaqar policy check --rule queues:delete --roles member --project p1 --queue billing --json`,
	}
	from := prog.policySource(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print one JSON object")
	ask := askFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := ask.check(cmd); err != nil {
			return err
		}
		at, err := from()
		if err != nil {
			return err
		}
		at.Only = args
		o := outcome{asked: ask}
		o.rules, o.findings, o.files = at.Load()
		if err := o.decide(); err != nil {
			return err
		}
		if err := o.print(cmd.OutOrStdout(), *asJSON); err != nil {
			return err
		}
		return o.result()
	}
	return cmd
}

// question is what the flags ask about.
type question struct {
	rule, queue, topic, target string
	roles                      []string
	who                        messaging.Caller
}

func askFlags(cmd *cobra.Command) *question {
	q := new(question)
	f := cmd.Flags()
	f.StringVar(&q.rule, "rule", "", "decide this `rule`")
	f.StringSliceVar(&q.roles, "roles", nil, "the caller's `roles`, separated by commas")
	f.StringVar((*string)(&q.who.Project), "project", "", "the caller's project, by `id`")
	f.StringVar(&q.who.User, "user", "", "the caller's user `id`")
	f.StringVar(&q.who.Domain, "domain", "", "the `id` of the domain that the caller's token is for")
	f.StringVar(&q.who.ProjectDomain, "project-domain", "", "the `id` of the project's domain")
	f.StringVar(&q.who.UserDomain, "user-domain", "", "the `id` of the user's domain")
	f.StringVar(&q.who.System, "system-scope", "", "the `scope` of a token for the system: all")
	f.StringVar(&q.queue, "queue", "", "the `name` of the queue that is acted on")
	f.StringVar(&q.topic, "topic", "", "the `name` of the topic that is acted on")
	f.StringVar(&q.target, "target-project", "", "the `id` of the project that is acted on, if it is another one")
	return q
}

// check refuses flags that nothing asks for.
func (q *question) check(cmd *cobra.Command) error {
	if q.queue != "" && q.topic != "" {
		return errors.New("--queue and --topic exclude each other")
	}
	if q.rule != "" {
		return nil
	}
	for _, name := range []string{"roles", "project", "user", "domain", "project-domain", "user-domain", "system-scope", "queue", "topic", "target-project"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s describes a caller; --rule says what to ask", name)
		}
	}
	return nil
}

// caller returns who asks and what is acted on.
func (q *question) caller() (messaging.Caller, messaging.QueueRef) {
	who := q.who
	who.Roles = q.roles
	on := messaging.QueueRef{Project: who.Project, Name: q.queue + q.topic, Topic: q.topic != ""}
	if q.target != "" {
		on.Project = messaging.Project(q.target)
	}
	return who, on
}

// outcome is what a check found.
type outcome struct {
	asked    *question
	rules    *policy.Policy
	findings []policy.Finding
	files    []string
	decision *policy.Reason
}

func (o *outcome) decide() error {
	if o.asked.rule == "" || o.rules == nil {
		return nil
	}
	if _, known := o.rules.Rule(o.asked.rule); !known {
		err := fmt.Errorf("there is no rule %q", o.asked.rule)
		var names []string
		for _, r := range listedRules(o.rules) {
			names = append(names, r.Name)
		}
		if near := spelling.Nearest(o.asked.rule, names); near != "" {
			err = fmt.Errorf("%w; did you mean %q?", err, near)
		}
		return err
	}
	who, on := o.asked.caller()
	reason := o.rules.Explain(who, o.asked.rule, on)
	o.decision = &reason
	return nil
}

func (o *outcome) errors() int {
	n := 0
	for _, f := range o.findings {
		if f.Error {
			n++
		}
	}
	return n
}

func (o *outcome) print(out io.Writer, asJSON bool) error {
	errs, warnings := o.errors(), len(o.findings)-o.errors()
	if asJSON {
		all := map[string]any{"files": orEmpty(o.files), "errors": errs, "warnings": warnings, "findings": orEmpty(o.findings)}
		if o.decision != nil {
			all["decision"] = map[string]any{"rule": o.asked.rule, "permitted": o.decision.Passed, "reason": o.decision}
		}
		return printJSON(out, all)
	}
	for _, f := range o.files {
		fmt.Fprintln(out, "read", f)
	}
	if len(o.files) == 0 {
		fmt.Fprintln(out, "no file of rules found: the default rules are in force")
	}
	printFindings(out, o.findings)
	_, err := fmt.Fprintf(out, "%s, %s\n", count(errs, "error"), count(warnings, "warning"))
	if o.decision != nil {
		fmt.Fprintf(out, "\n%s: %s\n", o.asked.rule, verdict(o.decision.Passed))
		printReason(out, *o.decision, 1)
	}
	return err
}

func verdict(passed bool) string {
	if passed {
		return "permitted"
	}
	return "denied"
}

func printReason(out io.Writer, r policy.Reason, depth int) {
	mark := "no "
	if r.Passed {
		mark = "yes"
	}
	detail := ""
	if r.Detail != "" {
		detail = "  (" + r.Detail + ")"
	}
	fmt.Fprintf(out, "%s%s  %s%s\n", strings.Repeat("  ", depth), mark, r.Check, detail)
	for _, p := range r.Parts {
		printReason(out, p, depth+1)
	}
}

// result is the exit code.
func (o *outcome) result() error {
	switch {
	case o.errors() > 0:
		return reportedError{errors.New("the policy has errors")}
	case o.decision != nil && !o.decision.Passed:
		return codedError{reportedError{errors.New("the caller does not pass")}, exitDenied}
	}
	return nil
}
