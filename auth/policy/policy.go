package policy

import (
	"context"
	"sync/atomic"

	"zaqar/messaging"
)

// Policy is an immutable set of compiled rules; see Compile. The zero value
// denies everything.
type Policy struct {
	rules map[string]*compiled
}

// Allow returns nil if the caller passes the rule for what is acted on, else a
// Denied error. on names the project, and the queue or topic if there is one.
// It is what broker.Policy asks for.
func (p *Policy) Allow(_ context.Context, who messaging.Caller, rule string, on messaging.QueueRef) error {
	if r := p.rules[rule]; r != nil && r.check.pass(question{&who, &on}) {
		return nil
	}
	return messaging.E(messaging.Denied, "The policy does not permit "+rule+" to this caller.")
}

// Effective is a rule in force.
type Effective struct {
	Name string
	Text string // in the policy language
	File string // that defines it; empty: the default
	Line int
}

// Rule returns the rule of a name as it is in force, and false if there is
// none.
func (p *Policy) Rule(name string) (Effective, bool) {
	r := p.rules[name]
	if r == nil {
		return Effective{}, false
	}
	return Effective{r.name, r.text, r.file, r.line}, true
}

// Own lists the rules in force that are not in the table: building blocks of
// the operator's, in no order.
func (p *Policy) Own() []Effective {
	var own []Effective
	for _, r := range p.rules {
		if !r.native {
			own = append(own, Effective{r.name, r.text, r.file, r.line})
		}
	}
	return own
}

// Live is a policy that can be exchanged while it is asked. It has to be Set
// before the first question.
type Live struct {
	now atomic.Pointer[Policy]
}

// NewLive returns a Live with the policy in force.
func NewLive(p *Policy) *Live {
	l := new(Live)
	l.Set(p)
	return l
}

// Set puts another policy in force for questions from now on.
func (l *Live) Set(p *Policy) { l.now.Store(p) }

// Allow asks the policy in force; see Policy.Allow.
func (l *Live) Allow(ctx context.Context, who messaging.Caller, rule string, on messaging.QueueRef) error {
	return l.now.Load().Allow(ctx, who, rule, on)
}
