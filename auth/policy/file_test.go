package policy_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"zaqar/auth/policy"
	"zaqar/messaging"
)

// errorsOf compiles files, each named f0, f1 and so on, and returns the
// findings as text.
func errorsOf(texts ...string) (*policy.Policy, string) {
	var files []policy.File
	for i, text := range texts {
		files = append(files, policy.File{Name: "f" + string(rune('0'+i)), Text: []byte(text)})
	}
	p, findings := policy.Compile(files, "default")
	var lines []string
	for _, f := range findings {
		lines = append(lines, f.String())
	}
	return p, strings.Join(lines, "\n")
}

func TestFiles(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                {"", ""},
		"comments":               {"# a\n\n#b: c\n", ""},
		"an empty document":      {"---\n", ""},
		"an empty mapping":       {"{} # none\n", "f0:1: warning: the file is in JSON"},
		"without quotes":         {"queues:get: role:admin", ""},
		"in several lines":       {"queues:get: |\n  role:admin\n  or role:reader\n", ""},
		"folded":                 {"queues:get: >-\n  role:admin\n  or role:reader\n", ""},
		"an alias":               {"queues:get: &a role:admin\nqueues:create: *a\n", ""},
		"a text":                 {"hello", "f0:1: error: the file has to map"},
		"a list":                 {"- a: b", "f0:1: error: the file has to map"},
		"not YAML":               {"a: '@'\nb: 'c", "f0:2: error: not YAML:"},
		"an at sign":             {"queues:get: @", "f0:1: error: not YAML:"},
		"not UTF-8":              {"queues:get: \xff", "f0:1: error: not YAML:"},
		"two documents":          {"queues:get: ''\n---\nqueues:create: ''\n", "f0:2: error: a second document"},
		"twice":                  {"queues:get: ''\nqueues:create: ''\nqueues:get: '!'\n", "f0:3: error: queues:get: is defined twice; the first time in line 1"},
		"no value":               {"queues:create: ''\nqueues:get:\n", "f0:2: error: queues:get: it has no value"},
		"null":                   {"queues:get: ~\n", "f0:1: error: queues:get: it has no value"},
		"exclamation mark":       {"queues:get: !\n", `f0:1: error: queues:get: it has no value; write "" for everybody or "!" for nobody, in quotes`},
		"a tag":                  {"queues:get: !x y\n", `f0:1: error: queues:get: a value that begins with "!"`},
		"a number":               {"queues:get: 1\n", "f0:1: error: queues:get: it has to be a text"},
		"a truth":                {"queues:get: true\n", "f0:1: error: queues:get: it has to be a text"},
		"a mapping":              {"queues:get: {a: b}\n", "f0:1: error: queues:get: it has to be a text"},
		"a nameless rule":        {"'': ''\n", "f0:1: error: the name of a rule"},
		"a number for a name":    {"1: ''\n", "f0:1: error: the name of a rule"},
		"merged":                 {"queues:get: &a ''\n<<: *a\n", "f0:2: error: the name of a rule"},
		"an alias of itself":     {"queues:get: &a [*a]\n", "f0:1: error"},
		"unknown":                {"queue:get: '@'\n", `f0:1: warning: queue:get: nothing asks for this rule and no other refers to it; it has no effect; did you mean "queues:get"?`},
		"a block that is used":   {"reader: role:reader\nqueues:get: rule:reader\n", ""},
		"a circle":               {"a: rule:b\nb: rule:c or role:x\nc: not rule:a\nqueues:get: rule:a\n", "f0:1: error: a: refers to itself: a -> b -> c -> a"},
		"a circle of defaults":   {"context_is_admin: is_admin:True\n", "f0:1: error: context_is_admin: refers to itself: context_is_admin -> context_is_admin"},
		"a stranger":             {"queues:get: rule:nope\n", `f0:1: error: queues:get: there is no rule "nope"`},
		"the rule for strangers": {"default: '!'\nqueues:get: rule:nope\n", `f0:2: warning: queues:get: there is no rule "nope"; rule "default" stands for it`},
		"JSON":                   {`{"queues:get": "role:admin"}`, "f0:1: warning: the file is in JSON"},
		"JSON over lines":        {"{\n  \"queues:get\": \"role:admin\",\n  \"queues:create\": [[\"role:\"]]\n}\n", "f0:1: warning: the file is in JSON, which the original has given up for YAML\nf0:3: error: queues:create"},
		"JSON with tabs":         {"{\n\t\"queues:get\":\t\"role:admin\",\n\t\"queues:create\": \"\"\n}\n", "f0:1: warning: the file is in JSON"},
		"list: both":             {"queues:get: [['role:a', 'role:b'], 'role:c', ['@']]\n", ""},
		"list: empty":            {"queues:get: []\n", ""},
		"list: empty within":     {"queues:get: [[]]\n", "f0:1: error: queues:get: a list within the list is empty"},
		"list: too deep":         {"queues:get: [[['role:a']]]\n", "f0:1: error: queues:get: a rule in the form of a list"},
		"list: a number":         {"queues:get: [1]\n", "f0:1: error: queues:get: a rule in the form of a list"},
		"list: an expression":    {"queues:get: ['role:a or role:b']\n", `f0:1: error: queues:get: "role:a or role:b" is more than one check`},
		"list: an empty text":    {"queues:get: ['']\n", "f0:1: error: queues:get: \"\" is more than one check"},
	} {
		t.Run(name, func(t *testing.T) {
			p, got := errorsOf(c.text)
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") != strings.Count(c.want, "\n") {
				t.Errorf("findings %q, want %q", got, c.want)
			}
			if failed := strings.Contains(got, ": error: "); failed == (p != nil) {
				t.Errorf("policy %v with %q", p != nil, got)
			}
		})
	}
}

func TestLists(t *testing.T) {
	for text, want := range map[string]bool{
		"[]": true, "['@']": true, "['!']": false, "[['role:admin', 'role:x']]": false, "[['role:admin', 'role:member']]": true,
		"['role:x', 'role:admin']": true, "['role:x', ['role:admin', 'role:x']]": false, "['role:two words']": true, "['project_id:%(project_id)s']": true,
		"['rule:context_is_admin']": true,
	} {
		err := compile(t, "queues:get: "+text).Allow(t.Context(), caller, "queues:get", messaging.QueueRef{Project: "p", Name: "q"})
		if got := err == nil; got != want {
			t.Errorf("%s: permitted = %v, want %v", text, got, want)
		}
	}
	e, _ := compile(t, "queues:get: [['role:a', 'role:b'], 'role:c']").Rule("queues:get")
	if want := "(role:a and role:b) or role:c"; e.Text != want {
		t.Errorf("shown as %q, want %q", e.Text, want)
	}
}

func TestLaterFilesOverride(t *testing.T) {
	p, told := errorsOf("queues:get: '!'\nqueues:create: '!'\nx: '@'\n", "queues:get: rule:x\n", "x: role:nobody-has-this\n")
	if told != "" {
		t.Fatal(told)
	}
	for name, want := range map[string]policy.Effective{
		"queues:get":    {Name: "queues:get", Text: "rule:x", File: "f1", Line: 1},
		"queues:create": {Name: "queues:create", Text: "!", File: "f0", Line: 2},
		"x":             {Name: "x", Text: "role:nobody-has-this", File: "f2", Line: 1},
	} {
		if e, _ := p.Rule(name); e != want {
			t.Errorf("in force is %+v, want %+v", e, want)
		}
	}
	if p.Allow(t.Context(), caller, "queues:get", messaging.QueueRef{}) == nil {
		t.Error("the overridden building block counts")
	}
	if own := p.Own(); len(own) != 1 || own[0].Name != "x" {
		t.Errorf("own rules %v", own)
	}
}

// What the documentation shows is right.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/access-control.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		if _, told := errorsOf(string(b[1])); told != "" {
			t.Errorf("%s\n%s", b[1], told)
		}
	}
	reader := messaging.Caller{Project: "p", Roles: []string{"reader"}}
	p, _ := errorsOf(string(blocks[1][1]))
	for _, r := range policy.Rules() {
		_, action, _ := strings.Cut(r.Name, ":")
		reads := strings.HasPrefix(action, "get") || action == "stats" || action == "deliveries"
		if strings.Contains(r.Default, "role:") || len(r.Operations) == 0 {
			continue
		}
		if got := p.Allow(t.Context(), reader, r.Name, messaging.QueueRef{Project: "p"}) == nil; got != reads {
			t.Errorf("a reader passes %s: %v", r.Name, got)
		}
	}
}

func TestExplain(t *testing.T) {
	p := compile(t, "queues:get: role:x or not (rule:owner and roles:member)\nowner: 'project_id:%(project_id)s'\n")
	on := messaging.QueueRef{Project: "p", Name: "q"}
	for _, rule := range []string{"queues:get", "queues:create", "health:get", "nope"} {
		if got, want := p.Explain(caller, rule, on).Passed, p.Allow(t.Context(), caller, rule, on) == nil; got != want {
			t.Errorf("%s: explained as %v, decided as %v", rule, got, want)
		}
	}
	var lines []string
	var walk func(r policy.Reason, depth int)
	walk = func(r policy.Reason, depth int) {
		mark := "-"
		if r.Passed {
			mark = "+"
		}
		lines = append(lines, strings.Repeat(" ", depth)+mark+r.Check+" ("+r.Detail+")")
		for _, part := range r.Parts {
			walk(part, depth+1)
		}
	}
	walk(p.Explain(caller, "queues:get", on), 0)
	want := `-rule:queues:get (policy.yaml:1)
 -or ()
  -role:x (the roles are Admin, member, two words)
  -not ()
   +and ()
    +rule:owner (policy.yaml:2)
     +project_id:%(project_id)s (compares p with p)
    +roles:member (the roles are Admin, member, two words)`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("explained as\n%s\nwant\n%s", got, want)
	}
}
