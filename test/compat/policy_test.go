package compat

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"zaqar/auth/policy"
	"zaqar/messaging"
)

// policyCase is what oslo.policy is asked.
type policyCase struct {
	rules map[string]any // "x" is asked
	soup  bool           // x may be no expression at all
	who   messaging.Caller
	on    messaging.QueueRef
}

// MarshalJSON gives the case in the terms of oslo.policy. What a caller or
// target does not have is None there, or missing.
func (c policyCase) MarshalJSON() ([]byte, error) {
	orNone := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	who := map[string]any{
		"roles": append([]string{}, c.who.Roles...), "is_admin": c.who.HasRole("admin"),
		"project_id": orNone(string(c.who.Project)), "user_id": orNone(c.who.User), "domain_id": orNone(c.who.Domain),
		"project_domain_id": orNone(c.who.ProjectDomain), "user_domain_id": orNone(c.who.UserDomain), "system_scope": orNone(c.who.System),
	}
	on := map[string]string{}
	set := func(name, value string, is bool) {
		if is && value != "" {
			on[name] = value
		}
	}
	set("project_id", string(c.on.Project), true)
	set("queue_name", c.on.Name, !c.on.Topic)
	set("topic_name", c.on.Name, c.on.Topic)
	rules := map[string]any{"context_is_admin": "role:admin"}
	for name, r := range c.rules {
		rules[name] = r
	}
	return json.Marshal([]any{rules, who, on})
}

// TestOsloPolicy decides the same rules as oslo.policy does: expressions by the
// grammar, lists, and words in any order. Those the server may refuse, where
// that library denies, or the part of the rule that it does not understand.
func TestOsloPolicy(t *testing.T) {
	t.Parallel()
	python := interpreter(t, "oslo_policy")
	const count = 6000
	random := rand.New(rand.NewPCG(20, 26))
	cases := make([]policyCase, count)
	for i := range cases {
		g := policyGenerator{random}
		rule, soup := g.rule()
		cases[i] = policyCase{
			rules: map[string]any{"x": rule, "y": g.expression(1), "default": g.pick("!", "@", "role:reader")}, soup: soup,
			who: g.caller(), on: g.target(),
		}
		cases[i].rules["y"] = strings.ReplaceAll(cases[i].rules["y"].(string), "rule:y", "rule:default") // no circles
	}
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", "python/policy_oracle.py")
	cmd.Env = []string{"PYTHONDONTWRITEBYTECODE=1", "LC_ALL=C.UTF-8"}
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var theirs []*bool
	if err := json.Unmarshal(out, &theirs); err != nil || len(theirs) != count {
		t.Fatalf("%d decisions, %v", len(theirs), err)
	}
	yes, no, refused := 0, 0, 0
	for i, c := range cases {
		ours, findings := decide(t, c)
		switch {
		case ours == nil:
			refused++
			if !c.soup {
				t.Errorf("what is right is refused: %v: %v", c.rules, findings)
			}
		case theirs[i] == nil && *ours:
			t.Errorf("oslo.policy fails, and the server permits: %v", c.rules)
		case theirs[i] != nil && *theirs[i] != *ours:
			t.Errorf("oslo.policy says %v, the server %v: rules %v, caller %+v, target %+v, findings %v", *theirs[i], *ours, c.rules, c.who, c.on, findings)
		case *ours:
			yes++
		default:
			no++
		}
	}
	t.Logf("the same: %d permitted, %d denied; refused: %d", yes, no, refused)
	if yes < count/10 || no < count/10 || refused < count/50 {
		t.Error("hardly anything was compared")
	}
}

// decide asks this server's policy; nil if it refuses the rules.
func decide(t *testing.T, c policyCase) (*bool, []policy.Finding) {
	t.Helper()
	rules := map[string]any{"queues:get": "rule:x"}
	for name, r := range c.rules {
		rules[name] = r
	}
	text, err := json.Marshal(rules)
	if err != nil {
		t.Fatal(err)
	}
	p, findings := policy.Compile([]policy.File{{Name: "rules", Text: text}}, "default")
	if p == nil {
		return nil, findings
	}
	passed := p.Allow(t.Context(), c.who, "queues:get", c.on) == nil
	return &passed, findings
}

// policyGenerator makes rules and those who ask.
type policyGenerator struct{ *rand.Rand }

func (g policyGenerator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g policyGenerator) rule() (rule any, soup bool) {
	switch g.IntN(10) {
	case 0:
		return g.lists(), false
	case 1, 2:
		return g.soup(), true
	default:
		return g.expression(3), false
	}
}

// expression is one by the grammar, in more or less of the usual spelling.
func (g policyGenerator) expression(depth int) string {
	if depth == 0 || g.IntN(4) == 0 {
		return g.check()
	}
	blank := func() string { return g.pick(" ", " ", " ", "  ", "\n", "\t ") }
	a, b := g.expression(depth-1), g.expression(depth-1)
	switch g.IntN(5) {
	case 0:
		return g.pick("not", "not", "NOT", "Not") + blank() + a
	case 1:
		return g.pick("(", "( ") + a + g.pick(")", " )")
	case 2, 3:
		return a + blank() + g.pick("and", "and", "AND") + blank() + b
	default:
		return a + blank() + g.pick("or", "or", "Or") + blank() + b
	}
}

func (g policyGenerator) check() string {
	return g.pick("@", "!", "role:admin", "role:MEMBER", "role:reader", "role:%(project_id)s", "rule:context_is_admin", "rule:nope", "rule:y",
		"project_id:%(project_id)s", "project_id:p", "user_id:u", "user_id:%(user_id)s", "user_id:%(queue_name)s", "domain_id:None", "domain_id:d",
		"user_domain_id:d", "project_domain_id:pd", "system_scope:all", "roles:member", "roles:admin", "is_admin:True", "is_admin:False",
		"'q':%(queue_name)s", `"q":%(queue_name)s`, "'t':%(topic_name)s", "'p/q':%(project_id)s/%(queue_name)s", "True:True", "None:None", "3:3", "3:03",
		"nobody:x", "user_id:100%%", "project_id:'p'")
}

// soup is words of the language in any order.
func (g policyGenerator) soup() string {
	var words []string
	for range g.IntN(6) {
		words = append(words, g.pick(g.check(), g.check(), "and", "or", "not", "(", ")", "(role:admin", "role:member)", "((@))", "'text'", "role:", ":x", "word", "@)"))
	}
	return strings.Join(words, " ")
}

func (g policyGenerator) lists() any {
	either := []any{}
	for range g.IntN(4) {
		if g.IntN(2) == 0 {
			either = append(either, g.check())
			continue
		}
		all := []any{}
		for range 1 + g.IntN(3) {
			all = append(all, g.check())
		}
		either = append(either, all)
	}
	return either
}

func (g policyGenerator) caller() messaging.Caller {
	who := messaging.Caller{Project: messaging.Project(g.pick("p", "p", "q")), User: g.pick("", "u", "q")}
	for range g.IntN(3) {
		who.Roles = append(who.Roles, g.pick("admin", "member", "Admin", "p", "READER"))
	}
	who.Domain, who.UserDomain, who.ProjectDomain, who.System = g.pick("", "d"), g.pick("", "d"), g.pick("", "pd"), g.pick("", "all")
	return who
}

func (g policyGenerator) target() messaging.QueueRef {
	on := messaging.QueueRef{Project: messaging.Project(g.pick("p", "p", "r")), Name: g.pick("", "q", "t")}
	on.Topic = on.Name == "t"
	return on
}
