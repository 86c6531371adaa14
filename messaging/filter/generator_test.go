package filter_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"zaqar/messaging/filter"
)

// generator makes policies and bodies of few names and values, so that they
// often have something to do with each other.
type generator struct{ *rand.Rand }

func (g generator) pick(all ...string) string { return all[g.IntN(len(all))] }

func (g generator) list(most int, one func() string) string {
	all := make([]string, 1+g.IntN(most))
	for i := range all {
		all[i] = one()
	}
	return strings.Join(all, ",")
}

func (g generator) name() string {
	return g.pick(`"a"`, `"b"`, `"c"`, `"a.b"`, `"b.a"`, `"\u0061"`, `"a.b.c"`, `""`)
}

func (g generator) number() string {
	return g.pick("0", "-0", "1", "1.0", "10e-1", "1.5", "-1", "2", "0.00001", "-0.00001", "1e9", "-1e9", "15E-1")
}

func (g generator) text() string {
	return g.pick(`"a"`, `"A"`, `"ab"`, `"aB"`, `"ba"`, `"\u0061b"`, `"é"`, `"É"`, `"10.0.0.1"`, `"::ffff:10.0.0.1"`, `"2001:db8::1"`, `"\"\\"`)
}

func (g generator) policy(depth int, scope filter.Scope) string {
	return "{" + g.list(2, func() string {
		switch k := g.IntN(8); {
		case k == 0 && depth > 0:
			return `"$or":[` + g.policy(depth-1, scope) + "," + g.list(2, func() string { return g.policy(depth-1, scope) }) + "]"
		case k < 3 && depth > 0 && scope == filter.Body:
			return g.name() + ":" + g.policy(depth-1, scope)
		}
		return g.name() + ":[" + g.list(3, g.condition) + "]"
	}) + "}"
}

func (g generator) condition() string {
	switch g.IntN(12) {
	case 0, 1:
		return g.text()
	case 2:
		return g.number()
	case 3:
		return g.pick("true", "false", "null")
	case 4:
		return fmt.Sprintf(`{"%s":%s}`, g.pick("prefix", "suffix", "equals-ignore-case"), g.text())
	case 5:
		return fmt.Sprintf(`{"anything-but":%s}`, g.pick(g.text(), g.number(), "["+g.text()+","+g.number()+"]"))
	case 6:
		return fmt.Sprintf(`{"anything-but":{"%s":%s}}`, g.pick("prefix", "suffix"), g.text())
	case 7:
		return fmt.Sprintf(`{"numeric":["%s",%s]}`, g.pick("=", "<", "<=", ">", ">="), g.number())
	case 8:
		return fmt.Sprintf(`{"numeric":["%s",%s,"%s",%s]}`, g.pick(">", ">="), g.pick("-1e9", "-1", "0", "0.00001"), g.pick("<", "<="), g.pick("1", "1.5", "2", "1e9"))
	case 9, 10:
		return fmt.Sprintf(`{"exists":%s}`, g.pick("true", "false"))
	}
	return fmt.Sprintf(`{"cidr":"%s"}`, g.pick("10.0.0.0/8", "10.0.0.1/32", "0.0.0.0/0", "2001:db8::/32", "::/0", "::ffff:10.0.0.0/104"))
}

func (g generator) body(scope filter.Scope) string {
	if g.IntN(20) == 0 {
		return g.value(2)
	}
	if scope == filter.Body {
		return g.object(3)
	}
	return `{"x":1,"MessageAttributes":{` + g.list(4, func() string {
		value := g.pick(g.text(), quoted(g.number()), quoted("["+g.text()+", "+g.number()+", null]"), quoted("[]"))
		return g.name() + fmt.Sprintf(`:{"%s":"%s","%s":%s}`, g.pick("Type", "DataType"),
			g.pick("String", "Number", "String.Array", "Binary", "Number.x", "String.x"), g.pick("Value", "StringValue"), value)
	}) + "}}"
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (g generator) object(depth int) string {
	return "{" + g.list(4, func() string { return g.name() + ":" + g.value(depth-1) }) + "}"
}

func (g generator) value(depth int) string {
	switch k := g.IntN(8); {
	case k == 0 && depth > 0:
		return "[" + g.list(3, func() string { return g.value(depth - 1) }) + "]"
	case k < 3 && depth > 0:
		return g.object(depth)
	case k == 3:
		return g.pick("[]", "{}", "[[]]", "null", "true", "false")
	case k < 6:
		return g.pick(g.number(), "1.000000001", "-1.000000001", "1e400", "-1e-400", "123456789012345678901234567890")
	}
	return g.text()
}
