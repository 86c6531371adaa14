package filter_test

import (
	"strings"
	"testing"

	"zaqar/messaging/filter"
)

func TestMatchAllocatesNothing(t *testing.T) {
	for name, c := range benchmarks(t) {
		if n := testing.AllocsPerRun(100, func() { c.policy.Match(c.body) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

type benchmark struct {
	policy *filter.Policy
	body   []byte
}

func benchmarks(t testing.TB) map[string]benchmark {
	rest := `"text":"` + strings.Repeat("lorem ipsum ", 80) + `"`
	many := `{"$or":[{"store":["` + strings.Repeat(`a","`, 70) + `b"]},{"price":[{"numeric":[">",1000]}]}]}`
	body := `{"store":"north","price":210.75,"customer":{"tier":"gold","tags":["new","eu"]},"urgent":true,` + rest + `}`
	return map[string]benchmark{
		"one string": {compile(t, `{"store":["north"]}`, filter.Body), []byte(body)},
		"four members": {compile(t, `{"store":[{"prefix":"no"}],"price":[{"numeric":[">=",100,"<",300]}],"customer":{"tier":[{"anything-but":["basic","none"]}],"tags":["eu"]}}`, filter.Body),
			[]byte(body)},
		"70 strings": {compile(t, many, filter.Body), []byte(body)},
		"attributes": {compile(t, `{"store":["north"],"price":[{"numeric":["<",300]}]}`, filter.Attributes),
			[]byte(`{"MessageAttributes":{"store":{"Type":"String","Value":"north"},"price":{"Type":"Number","Value":"210.75"}},` + rest + `}`)},
	}
}

func BenchmarkMatch(b *testing.B) {
	for name, c := range benchmarks(b) {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.body)))
			for b.Loop() {
				c.policy.Match(c.body)
			}
		})
	}
}
