package policy

import (
	"fmt"
	"slices"
	"strings"
)

// maxDepth bounds how deep an expression nests.
const maxDepth = 100

// parser compiles one rule. It follows the grammar
//
//	or     = and { "or" and }
//	and    = not { "and" not }
//	not    = "not" not | "(" or ")" | check
//	check  = "@" | "!" | "role:" text | "rule:" name | left ":" text
//
// Words stand between blanks; the parentheses that begin or end a word are
// apart from it.
type parser struct {
	words []string
	next  int
	depth int

	// refer returns the rule of a name, and false if there is none.
	refer func(name string) (*compiled, bool)
	// warn reports a check that is understood and can never pass.
	warn func(what string)
}

// expression compiles a text. The empty one lets everybody pass.
func (p *parser) expression(text string) (check, error) {
	if text == "" {
		return check{op: opAnyone}, nil
	}
	p.words = words(text)
	if len(p.words) == 0 {
		return check{}, fmt.Errorf(`there is nothing but blanks; write "" or "@" for everybody, "!" for nobody`)
	}
	c, err := p.or()
	if err == nil && p.next < len(p.words) {
		err = fmt.Errorf(`%q is in the wrong place; "and" or "or" has to stand between two checks`, p.words[p.next])
	}
	return c, err
}

func words(text string) []string {
	var list []string
	for _, w := range strings.Fields(text) {
		for strings.HasPrefix(w, "(") {
			list, w = append(list, "("), w[1:]
		}
		bare := strings.TrimRight(w, ")")
		if bare != "" {
			list = append(list, bare)
		}
		for range len(w) - len(bare) {
			list = append(list, ")")
		}
	}
	return list
}

// peek returns the next word; empty: there is none.
func (p *parser) peek() string {
	if p.next == len(p.words) {
		return ""
	}
	return p.words[p.next]
}

// take goes past the next word if it is the given one. Letter case of the
// three words of the language does not count.
func (p *parser) take(word string) bool {
	if p.next < len(p.words) && strings.EqualFold(p.words[p.next], word) {
		p.next++
		return true
	}
	return false
}

func (p *parser) or() (check, error)  { return p.chain("or", opOr, p.and) }
func (p *parser) and() (check, error) { return p.chain("and", opAnd, p.not) }

func (p *parser) chain(word string, o op, operand func() (check, error)) (check, error) {
	first, err := operand()
	if err != nil {
		return check{}, err
	}
	parts := []check{first}
	for p.take(word) {
		c, err := operand()
		if err != nil {
			return check{}, err
		}
		parts = append(parts, c)
	}
	if len(parts) == 1 {
		return first, nil
	}
	return check{op: o, parts: parts}, nil
}

func (p *parser) not() (check, error) {
	if p.depth++; p.depth > maxDepth {
		return check{}, fmt.Errorf("it is nested deeper than %d times", maxDepth)
	}
	defer func() { p.depth-- }()
	switch {
	case p.take("not"):
		c, err := p.not()
		return check{op: opNot, parts: []check{c}}, err
	case p.take("("):
		c, err := p.or()
		if err == nil && !p.take(")") {
			err = fmt.Errorf(`a ")" is missing`)
			if p.peek() != "" {
				err = fmt.Errorf(`%w before %q`, err, p.peek())
			}
		}
		return c, err
	}
	word := p.peek()
	switch strings.ToLower(word) {
	case "":
		return check{}, fmt.Errorf("it ends where a check is expected")
	case ")", "and", "or":
		return check{}, fmt.Errorf("%q stands where a check is expected", word)
	}
	p.next++
	return p.single(word)
}

// single compiles a check without operators.
func (p *parser) single(word string) (check, error) {
	c, err := p.leaf(word)
	c.source = word
	return c, err
}

func (p *parser) leaf(word string) (check, error) {
	switch word {
	case "@":
		return check{op: opAnyone}, nil
	case "!":
		return check{op: opNobody}, nil
	}
	kind, match, found := strings.Cut(word, ":")
	switch {
	case !found:
		return check{}, fmt.Errorf(`%q is no check; one looks like role:admin, rule:name or project_id:%%(project_id)s`, word)
	case kind == "":
		return check{}, fmt.Errorf("%q has nothing in front of the colon", word)
	case match == "":
		return check{}, fmt.Errorf("%q has nothing behind the colon; a blank there is one too many", word)
	case kind == "http" || kind == "https":
		return check{}, fmt.Errorf("%s: checks ask another server for every request and are not offered", kind)
	case kind == "rule":
		return p.reference(match)
	}
	right, err := p.template(match)
	if err != nil {
		return check{}, err
	}
	if q := match[0]; len(match) > 1 && (q == '\'' || q == '"') && match[len(match)-1] == q {
		if word[0] == q {
			return check{}, fmt.Errorf("%s is a text in quotes, not a check", word)
		}
		p.warn("the quotes behind the colon are part of what is compared")
	}
	return p.compare(kind, right)
}

func (p *parser) reference(name string) (check, error) {
	r, ok := p.refer(name)
	if !ok {
		return check{}, fmt.Errorf("there is no rule %q", name)
	}
	return check{op: opRule, rule: r}, nil
}

// compare compiles a comparison of what stands left of the colon with a text.
func (p *parser) compare(kind string, right text) (check, error) {
	switch kind {
	case "role":
		return check{op: opRole, right: right}, nil
	case "roles":
		return check{op: opHas, right: right}, nil
	case "is_admin":
		return p.isAdmin(right)
	}
	known := callerAttributes()
	if a := known[kind]; a != 0 {
		return check{op: opCompare, left: text{[]piece{{hole: a}}}, right: right}, nil
	}
	if constant, ok := pythonLiteral(kind); ok {
		return check{op: opCompare, left: literal(constant), right: right}, nil
	}
	if !isName(kind) {
		return check{}, fmt.Errorf(`%q is neither the name of an attribute nor a constant: 'text', a number, True, False, None`, kind)
	}
	p.warn(fmt.Sprintf("no caller has an attribute %q, so that the check never passes%s; there are %s",
		kind, suggestion(kind, names(known, "role", "roles", "rule", "is_admin")), strings.Join(names(known, "roles", "is_admin"), ", ")))
	return check{op: opNobody}, nil
}

// isAdmin compiles is_admin:True and is_admin:False, which ask the rule that
// says who is an administrator.
func (p *parser) isAdmin(right text) (check, error) {
	admin, err := p.reference(adminRule)
	if err != nil {
		return check{}, err
	}
	if len(right.pieces) == 1 && right.pieces[0].hole == 0 {
		switch right.pieces[0].literal {
		case "True":
			return admin, nil
		case "False":
			return check{op: opNot, parts: []check{admin}}, nil
		}
	}
	return check{}, fmt.Errorf("is_admin is True or False")
}

// template compiles the right side of a colon: text in which %(name)s stands
// for an attribute of what is acted on, and %% for a percent sign.
func (p *parser) template(s string) (text, error) {
	if strings.ContainsAny(strings.ReplaceAll(s, "%(", ""), "(") {
		return text{}, fmt.Errorf(`%q has a parenthesis in it; put blanks around those that group checks`, s)
	}
	var t text
	add := func(piece piece) { t.pieces = append(t.pieces, piece) }
	for s != "" {
		before, after, found := strings.Cut(s, "%")
		if before != "" {
			add(piece{literal: before})
		}
		if !found {
			break
		}
		if rest, ok := strings.CutPrefix(after, "%"); ok {
			add(piece{literal: "%"})
			s = rest
			continue
		}
		name, rest, ok := strings.Cut(after, ")s")
		if !ok || !strings.HasPrefix(name, "(") || strings.ContainsAny(name[1:], "()%") {
			return text{}, fmt.Errorf(`a %% begins a name like %%(project_id)s; write %%%% for a percent sign`)
		}
		add(piece{hole: p.target(name[1:])})
		s = rest
	}
	return t, nil
}

func (p *parser) target(name string) attribute {
	known := targetAttributes()
	if a := known[name]; a != 0 {
		return a
	}
	p.warn(fmt.Sprintf("nothing that is acted on has an attribute %q, so that the check never passes%s; there are %s",
		name, suggestion(name, names(known)), strings.Join(names(known), ", ")))
	return unknown
}

// list compiles the old form of rules: a list of alternatives, each a check or
// a list of checks of which all have to pass.
func (p *parser) list(alternatives []any) (check, error) {
	if len(alternatives) == 0 {
		return check{op: opAnyone}, nil
	}
	either := check{op: opOr}
	for _, a := range alternatives {
		words, isList := a.([]any)
		if !isList {
			words = []any{a}
		}
		if len(words) == 0 {
			return check{}, fmt.Errorf("a list within the list is empty")
		}
		all := check{op: opAnd}
		for _, w := range words {
			c, err := p.item(w)
			if err != nil {
				return check{}, err
			}
			all.parts = append(all.parts, c)
		}
		either.parts = append(either.parts, all)
	}
	return either, nil
}

func (p *parser) item(w any) (check, error) {
	word, ok := w.(string)
	switch {
	case !ok:
		return check{}, fmt.Errorf("a rule in the form of a list holds texts and lists of texts")
	case len(words(word)) != 1 || words(word)[0] != word:
		if kind, name, _ := strings.Cut(word, ":"); kind == "role" && !isExpression(word) {
			return check{op: opRole, right: literal(name), source: word}, nil // a role with blanks in its name
		}
		return check{}, fmt.Errorf("%q is more than one check, which a list cannot hold; write the rule as one text", word)
	}
	return p.single(word)
}

// isExpression reports whether a text has words or signs of the language in it.
func isExpression(text string) bool {
	if strings.ContainsAny(text, "()%") {
		return true
	}
	return slices.ContainsFunc(strings.Fields(text), func(w string) bool {
		return strings.EqualFold(w, "and") || strings.EqualFold(w, "or") || strings.EqualFold(w, "not") || strings.HasPrefix(w, "rule:")
	})
}

// isName reports whether a text could be the name of an attribute.
func isName(s string) bool {
	for i, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
		if !letter && (i == 0 || !(r == '.' || r == '-' || '0' <= r && r <= '9')) {
			return false
		}
	}
	return s != ""
}
