package policy

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"zaqar/messaging"
)

// question is what a check is asked: who wants to do something to what.
type question struct {
	who *messaging.Caller
	on  *messaging.QueueRef
}

// check is a compiled expression. It is a tree of values, not of interfaces or
// functions, so that asking it does not move the question to the heap.
type check struct {
	op     op
	parts  []check   // of and, or, not
	rule   *compiled // of a reference
	left   text      // of a comparison
	right  text      // of a comparison or role
	source string    // as written, of those without parts
}

type op int

const (
	opAnyone op = iota
	opNobody
	opAnd
	opOr
	opNot
	opRule
	opRole    // the caller has the role that right names
	opHas     // right is one of the caller's roles, letter by letter
	opCompare // left and right are the same
)

// compiled is a rule in force.
type compiled struct {
	name   string
	check  check
	text   string // as written
	file   string // where; empty: the default
	line   int
	native bool // one of Rules
}

// at says where the rule is defined, unless it is a default.
func (r *compiled) at() string { return r.file + ":" + strconv.Itoa(r.line) }

// pass reports whether the answer is yes.
func (c *check) pass(q question) bool {
	switch c.op {
	case opAnyone:
		return true
	case opAnd:
		for i := range c.parts {
			if !c.parts[i].pass(q) {
				return false
			}
		}
		return true
	case opOr:
		for i := range c.parts {
			if c.parts[i].pass(q) {
				return true
			}
		}
		return false
	case opNot:
		return !c.parts[0].pass(q)
	case opRule:
		return c.rule.check.pass(q)
	case opRole:
		role, ok := c.right.value(q)
		return ok && q.who.HasRole(role)
	case opHas:
		role, ok := c.right.value(q)
		return ok && slices.Contains(q.who.Roles, role)
	case opCompare:
		left, known := c.left.value(q)
		right, ok := c.right.value(q)
		return known && ok && left == right
	default:
		return false
	}
}

// text is a text with holes that the question fills.
type text struct {
	pieces []piece
}

// piece is a literal or a hole.
type piece struct {
	literal string
	hole    attribute // 0: the literal
}

func literal(s string) text { return text{[]piece{{literal: s}}} }

// value puts the text together. One piece, the usual case, takes no memory.
func (t *text) value(q question) (string, bool) {
	switch len(t.pieces) {
	case 0:
		return "", true
	case 1:
		return t.pieces[0].value(q)
	}
	var b strings.Builder
	for i := range t.pieces {
		s, ok := t.pieces[i].value(q)
		if !ok {
			return "", false
		}
		b.WriteString(s)
	}
	return b.String(), true
}

// value is the literal, or what fills the hole. ok is false if nothing does,
// and a check that needs it does not pass.
func (p *piece) value(q question) (string, bool) {
	if p.hole == 0 {
		return p.literal, true
	}
	return p.hole.value(q)
}

// attribute is something that checks compare: of the caller, or of what is
// acted on. A number, since what is called through a function value moves to
// the heap.
type attribute int

const (
	_ attribute = iota
	unknown

	callerProject
	callerUser
	callerDomain
	callerProjectDomain
	callerUserDomain
	callerSystem
	callerClient

	onProject
	onProjectDomain
	onQueue
	onTopic
)

// callerAttributes are what comparisons may name on their left side.
func callerAttributes() map[string]attribute {
	return map[string]attribute{
		"project_id": callerProject, "project": callerProject, "user_id": callerUser, "user": callerUser,
		"domain_id": callerDomain, "project_domain_id": callerProjectDomain, "user_domain_id": callerUserDomain,
		"system_scope": callerSystem, "client_id": callerClient,
	}
}

// targetAttributes are what %(…)s may name.
func targetAttributes() map[string]attribute {
	return map[string]attribute{
		"project_id": onProject, "project_domain_id": onProjectDomain, "queue_name": onQueue, "topic_name": onTopic,
	}
}

func names(attributes map[string]attribute, more ...string) []string {
	return slices.Sorted(slices.Values(slices.AppendSeq(more, maps.Keys(attributes))))
}

// value returns the attribute of a question, and false if it has none.
func (a attribute) value(q question) (string, bool) {
	switch a {
	case callerProject:
		return orNone(string(q.who.Project))
	case callerUser:
		return orNone(q.who.User)
	case callerDomain:
		return orNone(q.who.Domain)
	case callerProjectDomain:
		return orNone(q.who.ProjectDomain)
	case callerUserDomain:
		return orNone(q.who.UserDomain)
	case callerSystem:
		return orNone(q.who.System)
	case callerClient:
		return orNone(string(q.who.Client))
	case onProject:
		return string(q.on.Project), q.on.Project != ""
	case onProjectDomain:
		// That of the own project is known, and administrators alone act on
		// others.
		return q.who.ProjectDomain, q.who.ProjectDomain != "" && q.on.Project == q.who.Project
	case onQueue:
		return q.on.Name, q.on.Name != "" && !q.on.Topic
	case onTopic:
		return q.on.Name, q.on.Name != "" && q.on.Topic
	}
	return "", false
}

// orNone spells what a caller does not have as the original does.
func orNone(s string) (string, bool) {
	if s == "" {
		return "None", true
	}
	return s, true
}

// pythonLiteral returns how the original would print a constant on the left
// side of a comparison: a quoted string, an integer, True, False or None.
func pythonLiteral(s string) (string, bool) {
	if n := len(s); n >= 2 && (s[0] == '\'' || s[0] == '"') && s[n-1] == s[0] {
		inner := s[1 : n-1]
		return inner, !strings.ContainsAny(inner, `'"\`)
	}
	switch s {
	case "True", "False", "None":
		return s, true
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return s, err == nil && strconv.FormatInt(n, 10) == s
}
