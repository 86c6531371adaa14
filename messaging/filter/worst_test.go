package filter_test

import (
	"fmt"
	"strings"
	"testing"

	"zaqar/messaging/filter"
)

// repeated joins n texts, which may tell their number with one %d.
func repeated(n int, separator, format string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = format
		if strings.Contains(format, "%") {
			all[i] = fmt.Sprintf(format, i)
		}
	}
	return strings.Join(all, separator)
}

// filled is a body as large as a message may be, of one text again and again.
func filled(head, element, tail string) string {
	return head + repeated((256<<10-len(head)-len(tail))/(len(element)+1), ",", element) + tail
}

// worst are policies and bodies that look for trouble.
func worst(t testing.TB) map[string]benchmark {
	list := func(format string) string { return `{"a":[` + repeated(150, ",", format) + `]}` }
	alternatives := func(n int, format string) string { return `{"$or":[` + repeated(n, ",", format) + `]}` }
	nested := `["x"]`
	deep := filled(`{"b":[`, `1`, `]}`)
	for range filter.MaxDepth - 1 {
		nested, deep = `{"a":`+nested+`}`, `{"a":`+deep+`}`
	}
	var pairs []string
	for i := range 17 {
		for j := range i {
			pairs = append(pairs, fmt.Sprintf(`{"b%d":["x"],"b%d":["x"]}`, i, j))
		}
	}
	all := map[string]benchmark{}
	for name, c := range map[string]struct{ policy, body string }{
		"the same alternative":   {alternatives(150, `{"a":{"b":["x"]}}`), filled(`{"a":{`, `"c":[1,{"d":"e"}]`, `}}`)},
		"nested arrays":          {alternatives(150, `{"a":{"b":["x"]}}`), `{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`},
		"all arrays":             {alternatives(120, `{"a":{"b%d":["x"]}}`), `{"a":` + strings.Repeat("[", 131000) + strings.Repeat("]", 131000) + `}`},
		"all depths":             {nested, deep},
		"150 strings":            {list(`"x%d"`), filled(`{"a":[`, `"x"`, `]}`)},
		"150 prefixes":           {list(`{"prefix":"x%d"}`), filled(`{"a":[`, `"xy"`, `]}`)},
		"prefixes of all sizes":  {`{"a":[` + prefixes(150, "prefix") + `]}`, filled(`{"a":[`, `"`+strings.Repeat("x", 150)+`"`, `]}`)},
		"suffixes of all sizes":  {`{"a":[` + prefixes(150, "suffix") + `]}`, filled(`{"a":[`, `"`+strings.Repeat("x", 150)+`"`, `]}`)},
		"150 in any case":        {list(`{"equals-ignore-case":"k%d"}`), filled(`{"a":[`, `"k"`, `]}`)},
		"150 ranges":             {list(`{"numeric":[">",1%d]}`), filled(`{"a":[`, `1`, `]}`)},
		"150 networks":           {list(`{"cidr":"10.0.0.%d/32"}`), filled(`{"a":[`, `"::1"`, `]}`)},
		"150 exclusions":         {`{"a":[{"anything-but":[` + repeated(6000, ",", `"x%d"`) + `]}]}`, filled(`{"a":[`, `"x5999"`, `]}`)},
		"150 things of scalars":  {alternatives(75, `{"a":["x%d"],"b":["y"]}`), filled(`{"a":[`, `"x1"`, `]}`)},
		"alternatives of empty":  {`{"a":` + alternatives(120, `{"a%d":["x"],"b":["y"]}`) + `}`, filled(`{"a":[`, `{}`, `]}`)},
		"alternatives of one":    {`{"a":` + alternatives(150, `{"a%d":["x"]}`) + `}`, filled(`{"a":[`, `{"a1":1}`, `]}`)},
		"alternatives of two":    {`{"a":` + alternatives(120, `{"a%d":["x"],"b":["y"]}`) + `}`, filled(`{"a":[`, `{"b":1}`, `]}`)},
		"alternatives that come": {`{"a":` + alternatives(120, `{"a%d":["x"],"b":["y"]}`) + `}`, filled(`{"a":[`, `{"b":"y"}`, `]}`)},
		"many goals":             {alternatives(100, `{"a":{"b":["x"],"c":["y"]}}`), filled(`{"a":[`, `{"b":"x"}`, `]}`)},
		"alternatives without":   {`{"a":` + alternatives(120, `{"a%d":[{"exists":false}],"b":[{"exists":false}]}`) + `}`, filled(`{"a":[`, `{"b":1}`, `]}`)},
		"goals without":          {alternatives(120, `{"a":{"a%d":[{"exists":false}],"b":[{"exists":false}]}}`), filled(`{"a":[`, `{"b":1}`, `]}`)},
		"pairs":                  {`{"a":{"$or":[` + strings.Join(pairs, ",") + `]}}`, filled(`{"a":[`, `{"b0":"x"}`, `]}`)},
		"dots":                   {alternatives(20, `{"a.b.c.d":["x%d"]}`), filled(`{"a":[`, `{"b":{"c":1}}`, `]}`)},
	} {
		all[name] = benchmark{compile(t, c.policy, filter.Body), []byte(c.body)}
	}
	return all
}

func prefixes(n int, operator string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = `{"` + operator + `":"` + strings.Repeat("x", i) + `y"}`
	}
	return strings.Join(all, ",")
}

// No policy makes much more work of a message than reading it, counted in bytes,
// lookups and formulas.
func TestWorkIsBounded(t *testing.T) {
	for name, c := range worst(t) {
		if work := c.policy.Work(c.body); work > 4*len(c.body) || work < len(c.body)/8 {
			t.Errorf("%s: %d for %d bytes", name, work, len(c.body))
		}
	}
}

// The worst that may be asked of a large message still takes time in proportion
// to it.
func BenchmarkMatchWorst(b *testing.B) {
	for name, c := range worst(b) {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				c.policy.Match(c.body)
			}
		})
	}
}
