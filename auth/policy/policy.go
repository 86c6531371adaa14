// Package policy says what callers may do.
//
// A Policy maps rule names (http-v2 §2.3) to checks. A rule that nobody
// defined denies. Rules look only at the caller: that a caller stays within
// the own project is not a matter of policy but of keys that name the project.
package policy

import (
	"context"

	"zaqar/messaging"
)

// Check decides whether a caller passes a rule.
type Check func(who messaging.Caller) bool

// Anyone lets every caller pass.
func Anyone(messaging.Caller) bool { return true }

// Role lets callers with the role pass, whatever its letter case.
func Role(name string) Check {
	return func(who messaging.Caller) bool { return who.HasRole(name) }
}

// Policy is an immutable set of rules. The zero value denies everything.
type Policy struct {
	rules map[string]Check
}

// Default returns the rules of a deployment that defines none of its own:
// the administrator's are pools, the writing of flavors, and health; the rest
// is anyone's (http-v2 §2.3).
func Default() *Policy {
	p := &Policy{rules: map[string]Check{}}
	p.add(Anyone, "queues", "get_all", "create", "get", "update", "delete", "stats", "share", "purge")
	p.add(Anyone, "messages", "get_all", "create", "get", "delete", "delete_all")
	p.add(Anyone, "claims", "create", "get", "update", "delete")
	p.add(Anyone, "subscription", "get_all", "create", "get", "update", "delete", "confirm")
	p.add(Anyone, "topics", "get_all", "create", "get", "update", "delete", "stats", "purge")
	p.add(Anyone, "ping", "get")
	p.add(Anyone, "flavors", "get_all", "get")
	admin := Role("admin")
	p.add(admin, "health", "get")
	p.add(admin, "pools", "get_all", "create", "get", "update", "delete")
	p.add(admin, "flavors", "create", "update", "delete")
	return p
}

func (p *Policy) add(c Check, resource string, actions ...string) {
	for _, a := range actions {
		p.rules[resource+":"+a] = c
	}
}

// Allow returns nil if the caller passes the rule, else a Denied error. It is
// what broker.Policy asks for.
func (p *Policy) Allow(_ context.Context, who messaging.Caller, rule string) error {
	if check := p.rules[rule]; check != nil && check(who) {
		return nil
	}
	return messaging.E(messaging.Denied, "The policy does not permit "+rule+" to this caller.")
}
