package policy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"zaqar/auth/policy"
	"zaqar/messaging"
)

func TestDefaultRules(t *testing.T) {
	anyone := "queues:get_all queues:create queues:get queues:update queues:delete queues:stats queues:share queues:purge " +
		"messages:get_all messages:create messages:get messages:delete messages:delete_all " +
		"claims:create claims:get claims:update claims:delete " +
		"subscription:get_all subscription:create subscription:get subscription:update subscription:delete subscription:confirm " +
		"subscription:deliveries subscription:replay subscription:secret " +
		"topics:get_all topics:create topics:get topics:update topics:delete topics:stats topics:purge " +
		"ping:get flavors:get_all flavors:get"
	admin := "health:get pools:get_all pools:create pools:get pools:update pools:delete " +
		"flavors:create flavors:update flavors:delete"
	nobody := "queues: queues:Get topics:share messages:pop claims:get_all subscriptions:get ping:head health * :"
	callers := []struct {
		name    string
		roles   []string
		isAdmin bool
	}{
		{"no roles", nil, false},
		{"other roles", []string{"member", "administrator", "reader"}, false},
		{"admin", []string{"admin"}, true},
		{"admin in other letters, not first", []string{"member", "AdMiN"}, true},
	}
	p := policy.Default()
	for _, c := range callers {
		who := messaging.Caller{Project: "p", Roles: c.roles}
		check := func(rules string, want bool) {
			for rule := range strings.FieldsSeq(rules) {
				err := p.Allow(t.Context(), who, rule, messaging.QueueRef{Project: "p"})
				if got := err == nil; got != want {
					t.Errorf("%s: %s permitted = %v, want %v", c.name, rule, got, want)
				}
				if err != nil && !errors.Is(err, messaging.Denied) {
					t.Errorf("%s: %s gives %v, want the kind Denied", c.name, rule, err)
				}
			}
		}
		check(anyone, true)
		check(admin, c.isAdmin)
		check(nobody, false)
	}
	if p.Allow(t.Context(), messaging.Caller{}, "", messaging.QueueRef{}) == nil {
		t.Error("the empty rule is permitted")
	}
}

func TestZeroPolicyDenies(t *testing.T) {
	var p policy.Policy
	err := p.Allow(t.Context(), messaging.Caller{Roles: []string{"admin"}}, "ping:get", messaging.QueueRef{})
	if !errors.Is(err, messaging.Denied) {
		t.Errorf("got %v, want Denied", err)
	}
}

func TestTableIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range policy.Rules() {
		if seen[r.Name] || r.Name == "" || r.Help == "" {
			t.Errorf("rule %q: twice, or without a name or help", r.Name)
		}
		seen[r.Name] = true
		if block := !strings.Contains(r.Name, ":"); block != (len(r.Operations) == 0) {
			t.Errorf("rule %s guards %v", r.Name, r.Operations)
		}
		if e, ok := policy.Default().Rule(r.Name); !ok || e.Text != r.Default || e.File != "" {
			t.Errorf("rule %s: in force is %+v", r.Name, e)
		}
	}
}

// compile makes a policy of one file with the rule queues:get.
func compile(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, findings := policy.Compile([]policy.File{{Name: "policy.yaml", Text: []byte(text)}}, "default")
	if p == nil {
		t.Fatal(findings)
	}
	return p
}

func quoted(text string) string {
	return `"queues:get": '` + strings.ReplaceAll(text, "'", "''") + "'\n"
}

var caller = messaging.Caller{
	Project: "p", User: "u", Client: "c", Roles: []string{"Admin", "member", "two words"},
	ProjectDomain: "pd", UserDomain: "ud", System: "all",
}

// What passes here passes the original's library, too, given the same caller
// and target; test/compat compares them.
func TestLanguage(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "@": true, "!": false,
		"role:admin": true, "role:MEMBER": true, "role:reader": false, "role:%(queue_name)s": false,
		"not role:admin": false, "not not role:admin": true, "NOT role:x": true, "not !": true,
		"role:x or role:admin": true, "role:x OR role:y": false, "role:admin and role:member": true, "role:admin AND role:x": false,
		"role:x and role:y or role:admin": true, "role:admin or role:x and role:y": true, "role:x or role:admin and role:member": true,
		"(role:x or role:admin) and role:x": false, "role:admin or (role:x and role:y)": true,
		"not role:x and role:admin": true, "not role:admin or role:member": true, "not (role:x or role:y)": true,
		"( role:admin )": true, "((role:admin))": true, "\trole:admin\n": true,
		"role:admin\nor role:x": true,

		"project_id:%(project_id)s": true, "project:p": true, "project_id:p": true, "project_id:P": false,
		"user_id:u": true, "user:u": true, "user_id:%(project_id)s": false, "user_id:%(queue_name)s": false,
		"domain_id:None": true, "domain_id:x": false, "user_domain_id:ud": true, "project_domain_id:pd": true,
		"project_domain_id:%(project_domain_id)s": true, "user_domain_id:%(project_domain_id)s": false,
		"system_scope:all": true, "system_scope:none": false, "client_id:c": true,
		"roles:member": true, "roles:admin": false, "roles:Admin": true,
		"'q':%(queue_name)s": true, `"q":%(queue_name)s`: true, "'t':%(topic_name)s": false, "'x':%(queue_name)s": false,
		"'p/q':%(project_id)s/%(queue_name)s": true, "'100%':100%%": true, "'':x": false,
		"3:3": true, "-3:-3": true, "3:4": false, "True:True": true, "None:None": true, "False:True": false,
		"is_admin:True": true, "is_admin:False": false, "rule:context_is_admin": true, "rule:admin_or_owner": true,
	} {
		t.Run(text, func(t *testing.T) {
			err := compile(t, quoted(text)).Allow(t.Context(), caller, "queues:get", messaging.QueueRef{Project: "p", Name: "q"})
			if got := err == nil; got != want {
				t.Errorf("permitted = %v, want %v", got, want)
			}
		})
	}
}

func TestTopicsAreTargets(t *testing.T) {
	for text, want := range map[string]bool{"'t':%(topic_name)s": true, "'t':%(queue_name)s": false, "not 't':%(queue_name)s": true} {
		err := compile(t, quoted(text)).Allow(t.Context(), caller, "queues:get", messaging.QueueRef{Project: "p", Name: "t", Topic: true})
		if got := err == nil; got != want {
			t.Errorf("%s: permitted = %v, want %v", text, got, want)
		}
	}
}

// A caller without anything passes no check that asks for something.
func TestNobodyInParticular(t *testing.T) {
	for _, text := range []string{"role:None", "roles:None", "project_id:%(project_id)s", "user_id:%(queue_name)s", "is_admin:True", "system_scope:all",
		"user_domain_id:%(project_domain_id)s", "'':%(project_id)s", "'None':%(project_id)s"} {
		if compile(t, quoted(text)).Allow(t.Context(), messaging.Caller{}, "queues:get", messaging.QueueRef{}) == nil {
			t.Errorf("%s: permitted", text)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		" ": "nothing but blanks", "admin": "is no check", "role:admin role:member": "wrong place", "role:admin and": "ends where",
		"and role:admin": "stands where", "or": "stands where", "()": "stands where", "(": "ends where", "(role:admin": `")" is missing`,
		"role:admin)": "wrong place", "not": "ends where", "(@ and": "ends where", "(@ @)": `")" is missing before "@"`,
		"role:": "nothing behind the colon", ":x": "nothing in front", "role: admin": "nothing behind",
		"role:admin and(role:member)": "wrong place", "role:a(b": "parenthesis", "(role:a)and(role:b)": "parenthesis",
		"project_id:%(project_id)": "%% for a percent", "project_id:%(project_id)d": "%% for a percent", "project_id:%p": "%% for a percent",
		"project_id:%": "%% for a percent", "project_id:%(a(b)s": "",
		"http://example.org": "not offered", "https://example.org/%(project_id)s": "not offered",
		"rule:nope": `no rule "nope"`, "'p':'p'": "in quotes", "'role:admin'": "neither", "[1]:[1]": "neither", "1.5:1.5": "neither", "0x1:1": "neither",
		"is_admin:true": "True or False", "is_admin:%(project_id)s": "True or False",
		strings.Repeat("(", 1000) + "@" + strings.Repeat(")", 1000): "deeper", strings.Repeat("not ", 1000) + "@": "deeper",
	} {
		t.Run(text, func(t *testing.T) {
			p, findings := policy.Compile([]policy.File{{Name: "policy.yaml", Text: []byte("# a\n" + quoted(text))}}, "default")
			if p != nil || len(findings) != 1 {
				t.Fatalf("policy %v, findings %v", p != nil, findings)
			}
			f := findings[0]
			if !f.Error || f.File != "policy.yaml" || f.Line != 2 || f.Rule != "queues:get" || !strings.Contains(f.Text, want) {
				t.Errorf("finding %+v, want %q in line 2", f, want)
			}
		})
	}
}

func TestWhatIsWarnedAbout(t *testing.T) {
	for text, want := range map[string]string{
		"tenant:%(project_id)s":      `no caller has an attribute "tenant"`,
		"ROLE:admin":                 `did you mean "role"`,
		"user_id:%(user_id)s":        `nothing that is acted on has an attribute "user_id"`,
		"project_id:%(projectid)s":   `did you mean "project_id"`,
		"project_id:'p'":             "quotes",
		"is_admin_project:True":      "never passes",
		"service_roles:service":      "never passes",
		"user_id:%(target.user.id)s": "never passes",
	} {
		t.Run(text, func(t *testing.T) {
			p, findings := policy.Compile([]policy.File{{Name: "f", Text: []byte(quoted(text))}}, "")
			if p == nil || len(findings) != 1 || findings[0].Error || !strings.Contains(findings[0].Text, want) {
				t.Fatalf("findings %v, want the warning %q", findings, want)
			}
			if p.Allow(t.Context(), caller, "queues:get", messaging.QueueRef{Project: "p", Name: "q"}) == nil {
				t.Error("permitted")
			}
		})
	}
}

func TestAllowTakesNoMemory(t *testing.T) {
	p := policy.NewLive(compile(t, `
owner: "project_id:%(project_id)s and not role:reader"
queues:get: "role:x or rule:owner"
queues:list: "'q':%(queue_name)s"
messages:create: "role:x or (rule:owner and is_admin:True)"
`))
	on := messaging.QueueRef{Project: "p", Name: "q"}
	for _, rule := range []string{"queues:get", "queues:create", "messages:create", "queues:list"} {
		n := testing.AllocsPerRun(100, func() {
			if p.Allow(t.Context(), caller, rule, on) != nil {
				t.Fatal("denied")
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", rule, n)
		}
	}
}

func TestExchange(t *testing.T) {
	live := policy.NewLive(policy.Default())
	may := func() bool {
		return live.Allow(t.Context(), messaging.Caller{}, "queues:get", messaging.QueueRef{}) == nil
	}
	if !may() {
		t.Error("denied by default")
	}
	live.Set(compile(t, quoted("!")))
	if may() {
		t.Error("permitted after the change")
	}
}

func BenchmarkAllow(b *testing.B) {
	rules := map[string]string{
		"default":    "",
		"role":       "role:member",
		"owner":      "role:admin or project_id:%(project_id)s",
		"references": "rule:admin_or_owner and not role:reader",
	}
	on := messaging.QueueRef{Project: "p", Name: "q"}
	who := messaging.Caller{Project: "p", Roles: []string{"reader2", "member"}}
	for name, text := range rules {
		p, findings := policy.Compile([]policy.File{{Name: "f", Text: []byte(quoted(text))}}, "")
		if p == nil {
			b.Fatal(findings)
		}
		live := policy.NewLive(p)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if live.Allow(b.Context(), who, "queues:get", on) != nil {
					b.Fatal("denied")
				}
			}
		})
	}
}

func FuzzCompile(f *testing.F) {
	for _, text := range []string{quoted("role:admin and not (rule:admin_or_owner or 'a':%(queue_name)s)"), "a: rule:b\nb: rule:a\n",
		`{"queues:get": [["role:a", "role:b"], "@"]}`, "- a", "a: !x y", "a: &b c\nd: *b", "---\na: b\n---\n", "a: |\n  role:x\n", "\xff: x"} {
		f.Add([]byte(text))
	}
	on := messaging.QueueRef{Project: "p", Name: "q"}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, findings := policy.Compile([]policy.File{{Name: "f", Text: text}}, "default")
		failed := slices.ContainsFunc(findings, func(f policy.Finding) bool { return f.Error })
		if failed != (p == nil) {
			t.Fatalf("policy %v, findings %v", p != nil, findings)
		}
		for _, f := range findings {
			if f.Text == "" || f.File == "f" && f.Line < 1 {
				t.Errorf("finding without text or line: %+v", f)
			}
		}
		if p == nil || len(text) > 1<<10 {
			return
		}
		for _, r := range policy.Rules() {
			_ = p.Allow(t.Context(), caller, r.Name, on)
		}
	})
}

func FuzzLanguage(f *testing.F) {
	for _, text := range []string{"", "foo:x or " + strings.Repeat("(", 99) + "@" + strings.Repeat(")", 99), "@ and !", "not (role:a or role:b) and rule:x", "'a':%(queue_name)s", "project_id:%(project_id)s%%"} {
		f.Add(text)
	}
	on := messaging.QueueRef{Project: "p", Name: "q"}
	f.Fuzz(func(t *testing.T, text string) {
		rule := func(text string) (*policy.Policy, []policy.Finding) { return policy.CompileRule(text) }
		p, _ := rule(text)
		if p == nil {
			return
		}
		yes := p.Allow(t.Context(), caller, "queues:get", on) == nil
		for _, same := range []string{"(" + text + ")", "(" + text + ") and @", "! or (" + text + ")", "not (not (" + text + "))"} {
			if strings.TrimSpace(text) == "" {
				break
			}
			q, findings := rule(same)
			if q == nil {
				if slices.ContainsFunc(findings, func(f policy.Finding) bool { return strings.Contains(f.Text, "deeper") }) {
					continue
				}
				t.Fatalf("%q is refused: %v", same, findings)
			}
			if got := q.Allow(t.Context(), caller, "queues:get", on) == nil; got != yes {
				t.Errorf("%q: %v, %q: %v", text, yes, same, got)
			}
		}
	})
}
