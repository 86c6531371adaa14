package policy

import (
	"strings"

	"zaqar/messaging"
)

// Reason says how a check was decided.
type Reason struct {
	Check  string   `json:"check"` // as written, or and, or, not
	Passed bool     `json:"passed"`
	Detail string   `json:"detail,omitempty"` // what was compared
	Parts  []Reason `json:"parts,omitempty"`
}

// Explain decides like Allow and says why. Unlike there, no part of an
// expression is left out.
func (p *Policy) Explain(who messaging.Caller, rule string, on messaging.QueueRef) Reason {
	r := p.rules[rule]
	if r == nil {
		return Reason{Check: "rule:" + rule, Detail: "nobody has defined it"}
	}
	return r.explain(question{&who, &on})
}

func (r *compiled) explain(q question) Reason {
	reason := Reason{Check: "rule:" + r.name, Passed: r.check.pass(q), Detail: "the default"}
	if r.file != "" {
		reason.Detail = r.at()
	}
	reason.Parts = []Reason{r.check.explain(q)}
	return reason
}

func (c *check) explain(q question) Reason {
	if c.op == opRule {
		r := c.rule.explain(q)
		r.Check = c.source
		return r
	}
	r := Reason{Check: c.source, Passed: c.pass(q)}
	switch c.op {
	case opAnyone:
		r.Check, r.Detail = `@`, "everybody"
	case opAnd:
		r.Check = "and"
	case opOr:
		r.Check = "or"
	case opNot:
		r.Check = "not"
	case opRole, opHas:
		r.Detail = "the roles are " + strings.Join(q.who.Roles, ", ")
		if len(q.who.Roles) == 0 {
			r.Detail = "there are no roles"
		}
	case opCompare:
		left, _ := c.left.value(q)
		right, ok := c.right.value(q)
		r.Detail = "compares " + left + " with " + right
		if !ok {
			r.Detail = "what is acted on lacks the attribute"
		}
	case opNobody:
		r.Detail = "never passes"
	}
	for i := range c.parts {
		r.Parts = append(r.Parts, c.parts[i].explain(q))
	}
	return r
}
