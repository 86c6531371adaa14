package filter_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"zaqar/messaging"
	"zaqar/messaging/filter"
)

func compile(t testing.TB, policy string, scope filter.Scope) *filter.Policy {
	t.Helper()
	p, err := filter.Compile([]byte(policy), scope)
	if err != nil {
		t.Fatalf("%s: %v", policy, err)
	}
	return p
}

// The bodies in yes pass the policy, those in no do not.
func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		policy  string
		yes, no []string
	}{
		{`{}`, []string{`{}`, `null`, `7`, `"x"`, `[1]`}, nil},
		{`null`, []string{`7`}, nil},
		{`{"a":["x"]}`,
			[]string{`{"a":"x"}`, `{"b":1,"a":"x"}`, `{"a":["y","x"]}`, `{"a":[["x"]]}`, ` { "a" : "\u0078" } `, `{"\u0061":"x"}`, `{"a":"y","a":"x"}`},
			[]string{`{}`, `{"a":"X"}`, `{"a":""}`, `{"a":"xx"}`, `{"a":null}`, `{"a":{"a":"x"}}`, `{"b":"x"}`, `{"a":"x","a":"y"}`, `{"a":[]}`, `"x"`, `["x"]`, `[{"a":"x"}]`, `null`, `7`}},
		{`{"a":["x",7,true,null]}`,
			[]string{`{"a":"x"}`, `{"a":7}`, `{"a":7.0}`, `{"a":0.7e1}`, `{"a":70e-1}`, `{"a":true}`, `{"a":null}`, `{"a":[false,null]}`},
			[]string{`{"a":"7"}`, `{"a":7.000001}`, `{"a":-7}`, `{"a":false}`, `{"a":"null"}`, `{"a":"true"}`, `{}`}},
		{`{"a":["x"],"b":["y"]}`, []string{`{"b":"y","a":"x"}`}, []string{`{"a":"x"}`, `{"b":"y"}`, `{"a":"y","b":"x"}`}},
		{`{"a":[{"prefix":"ab"}]}`, []string{`{"a":"ab"}`, `{"a":"abc"}`, `{"a":"\u0061bc"}`}, []string{`{"a":"a"}`, `{"a":"xab"}`, `{"a":["a",{"a":"ab"}]}`, `{"a":1}`}},
		{`{"a":[{"suffix":"é"}]}`, []string{`{"a":"é"}`, `{"a":"caf\u00e9"}`}, []string{`{"a":"éx"}`, `{"a":""}`}},
		{`{"a":[{"equals-ignore-case":"aÉ"}]}`, []string{`{"a":"Aé"}`}, []string{`{"a":"ae"}`, `{"a":"aÉ "}`}},
		{`{"a":[{"anything-but":"x"}]}`, []string{`{"a":"y"}`, `{"a":["x","y"]}`, `{"a":1}`, `{"a":null}`, `{"a":true}`}, []string{`{"a":"x"}`, `{"a":["x","x"]}`, `{"a":[]}`, `{"a":{}}`, `{}`}},
		{`{"a":[{"anything-but":["x",1]}]}`, []string{`{"a":"1"}`, `{"a":2}`}, []string{`{"a":"x"}`, `{"a":1.0}`}},
		{`{"a":[{"anything-but":3}]}`, []string{`{"a":"3"}`}, []string{`{"a":3}`}},
		{`{"a":[{"anything-but":{"prefix":"x"}}]}`, []string{`{"a":"y"}`, `{"a":5}`}, []string{`{"a":"xy"}`}},
		{`{"a":[{"anything-but":{"suffix":"x"}}]}`, []string{`{"a":"xy"}`}, []string{`{"a":"yx"}`}},
		{`{"a":[{"numeric":["=",301.5]}]}`, []string{`{"a":301.5}`, `{"a":3.015e2}`}, []string{`{"a":"301.5"}`, `{"a":301.50001}`}},
		{`{"a":[{"numeric":[">",0,"<=",150]}]}`, []string{`{"a":150}`, `{"a":0.00001}`, `{"a":1e-300}`, `{"a":150.0}`}, []string{`{"a":0}`, `{"a":-0.0}`, `{"a":150.0000000001}`, `{"a":1e300}`, `{"a":-1}`}},
		{`{"a":[{"numeric":[">=",0.3]}]}`, []string{`{"a":0.3}`, `{"a":0.30000000000000000001}`}, []string{`{"a":0.29999999999999999999}`}},
		{`{"a":[{"numeric":["<",-1.5]}]}`, []string{`{"a":-1.50000001}`, `{"a":-1e99999999999999999999}`}, []string{`{"a":-1.5}`, `{"a":-1.49999999}`, `{"a":1e99999999999999999999}`}},
		{`{"a":[{"exists":true}]}`, []string{`{"a":null}`, `{"a":{}}`, `{"a":[]}`, `{"a":0}`}, []string{`{}`, `{"b":1}`, `{"x":{"a":1}}`}},
		{`{"a":[{"exists":false}]}`, []string{`{}`, `{"b":{"a":1}}`}, []string{`{"a":null}`, `{"a":[]}`, `7`}},
		{`{"a":["x",{"exists":false}]}`, []string{`{}`, `{"a":"x"}`}, []string{`{"a":"y"}`}},
		{`{"a":[{"cidr":"10.1.0.0/16"}]}`, []string{`{"a":"10.1.2.3"}`, `{"a":"::ffff:10.1.2.3"}`}, []string{`{"a":"10.2.0.1"}`, `{"a":"10.1.2"}`, `{"a":"010.1.2.3"}`, `{"a":"10.1.2.3/32"}`, `{"a":"x"}`, `{"a":""}`, `{"a":"::ffff:10.1.2.3%eth0"}`}},
		{`{"a":[{"cidr":"2001:db8::/32"}]}`, []string{`{"a":"2001:db8::1"}`, `{"a":"2001:0DB8:0000::0001"}`}, []string{`{"a":"2001:db9::1"}`, `{"a":"10.0.0.1"}`}},
		{`{"a":{"b":{"c":["x"]}}}`, []string{`{"a":{"b":{"c":"x"}}}`, `{"a":[{"b":1},{"b":[[{"c":"x"}]]}]}`}, []string{`{"a":{"b":"x"}}`, `{"a":{"c":"x"}}`, `{"a":"x"}`, `{"a":[]}`, `{}`}},
		// One object of the array has to meet all.
		{`{"a":{"b":[1],"c":[2]}}`, []string{`{"a":[{"b":0},{"c":2,"b":1}]}`, `{"a":{"b":[0,1],"c":2}}`}, []string{`{"a":[{"b":1},{"c":2}]}`}},
		{`{"a":{"b":[{"exists":false}]}}`, []string{`{}`, `{"a":1}`, `{"a":null}`, `{"a":[]}`, `{"a":{"c":1}}`, `{"a":[{"b":1},{}]}`}, []string{`{"a":{"b":1}}`, `{"a":[{"b":1}]}`}},
		{`{"a.b":["x"]}`, []string{`{"a":{"b":"x"}}`, `{"a.b":"x"}`, `{"a":[{"b":"y"},{"b":"x"}]}`, `{"a":{"b":"y"},"a.b":"x"}`}, []string{`{"a.b":"y","a":{"b":"x"}}`, `{"a":"x","b":"x"}`}},
		{`{"a.b.c":["x"]}`, []string{`{"a":{"b":{"c":"x"}}}`, `{"a.b.c":"x"}`, `{"a":{"b.c":"x"}}`}, []string{`{"a.b":{"c":"x"}}`}},
		{`{"a.b":{"c":["x"]}}`, []string{`{"a":{"b":{"c":"x"}}}`, `{"a.b":{"c":"x"}}`}, []string{`{"a":{"b":"x"}}`}},
		{`{".a":["x"],"a.":["y"],"":["z"]}`, []string{`{".a":"x","a.":"y","":"z"}`}, []string{`{"":{"a":"x"},"a":{"":"y"}}`}},
		{`{"$or":[{"a":["x"]},{"b":["y"],"c":["z"]}]}`, []string{`{"a":"x"}`, `{"b":"y","c":"z"}`}, []string{`{"b":"y"}`, `{"a":"y"}`, `{}`}},
		{`{"d":[1],"$or":[{"a":["x"]},{"$or":[{"b":["y"]},{"c":["z"]}]}]}`, []string{`{"d":1,"c":"z"}`, `{"d":1,"a":"x"}`}, []string{`{"c":"z"}`, `{"d":1}`}},
		{`{"a":{"$or":[{"b":[1]},{"c":[2]}]}}`, []string{`{"a":{"c":2}}`, `{"a":[{"b":1}]}`}, []string{`{"c":2}`, `{"a":{"b":2}}`}},
		{`{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1],"g":[1],"h":[1],"i":[1],"j":[1]}`,
			[]string{`{"j":1,"i":1,"h":1,"g":1,"f":1,"e":1,"d":1,"c":1,"b":1,"a":1,"k":2}`}, []string{`{"j":1}`}},
	} {
		p := compile(t, tt.policy, filter.Body)
		check := func(body string, want bool) {
			t.Helper()
			for _, body := range []string{body, indented(body)} {
				if got := p.Match([]byte(body)); got != want {
					t.Errorf("%s passes %s: %v", body, tt.policy, got)
				}
			}
			if r := (reference{filter.Body}); tame(body) && r.match(t, tt.policy, body) != want {
				t.Errorf("the reference does not think so: %s passes %s", body, tt.policy)
			}
		}
		for _, body := range tt.yes {
			check(body, true)
		}
		for _, body := range tt.no {
			check(body, false)
		}
	}
}

func TestMatchAttributes(t *testing.T) {
	for _, tt := range []struct {
		policy  string
		yes, no []string // MessageAttributes
	}{
		{`{"s":["x"]}`,
			[]string{`{"s":{"Type":"String","Value":"x"}}`, `{"s":{"DataType":"String","StringValue":"x"}}`, `{"s":{"StringValue":"x","DataType":"String.label"}}`,
				`{"s":{"Type":"String.Array","Value":"[\"y\", \"x\"]"}}`},
			[]string{`{}`, `[]`, `null`, `{"s":"x"}`, `{"s":{"Type":"Binary","Value":"x"}}`, `{"s":{"Value":"x"}}`, `{"s":{"Type":"String"}}`, `{"s":{"Type":"string","Value":"x"}}`,
				`{"s":{"Type":"String","Value":["x"]}}`, `{"s":{"Type":"String.Array","Value":"x"}}`, `{"s":{"Type":"String","Value":"[\"x\"]"}}`}},
		{`{"n":[{"numeric":[">",10]}]}`,
			[]string{`{"n":{"Type":"Number","Value":"10.01"}}`, `{"n":{"Type":"Number.float","Value":"1e2"}}`, `{"n":{"Type":"String.Array","Value":"[1, 11]"}}`},
			[]string{`{"n":{"Type":"Number","Value":"10"}}`, `{"n":{"Type":"String","Value":"11"}}`, `{"n":{"Type":"Number","Value":"[11]"}}`, `{"n":{"Type":"Number","Value":""}}`}},
		{`{"a.b":["x"]}`, []string{`{"a.b":{"Type":"String","Value":"x"}}`}, []string{`{"a":{"b":{"Type":"String","Value":"x"}}}`}},
		{`{"b":[{"exists":false}]}`, []string{`{}`, `null`, `{"b":{"Type":"Binary","Value":"AA=="}}`}, []string{`{"b":{"Type":"String","Value":""}}`}},
		{`{"b":[{"exists":true}]}`, []string{`{"b":{"Type":"String","Value":""}}`, `{"b":{"Type":"String.Array","Value":"[]"}}`}, []string{`{}`, `{"b":{"Type":"Binary","Value":"AA=="}}`}},
		{`{"$or":[{"a":[{"anything-but":"x"}]},{"b":[null]}]}`, []string{`{"a":{"Type":"String","Value":"y"}}`, `{"b":{"Type":"String.Array","Value":"[null]"}}`}, []string{`{"a":{"Type":"String","Value":"x"}}`}},
	} {
		p := compile(t, tt.policy, filter.Attributes)
		for want, list := range map[bool][]string{true: tt.yes, false: tt.no} {
			for _, a := range list {
				body := `{"MessageAttributes":{"s":1},"other":"x","MessageAttributes":` + a + `}`
				if got := p.Match([]byte(body)); got != want {
					t.Errorf("%s passes %s: %v", body, tt.policy, got)
				}
				if r := (reference{filter.Attributes}); r.match(t, tt.policy, body) != want {
					t.Errorf("the reference does not think so: %s passes %s", body, tt.policy)
				}
			}
		}
		if p.Match([]byte(`["MessageAttributes"]`)) {
			t.Errorf("an array passes %s", tt.policy)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + `["x"]` + strings.Repeat(`}`, n) }
	many := func(n int) string { return `["v"` + strings.Repeat(`,"v"`, n-1) + `]` }
	for _, good := range []string{deep(filter.MaxDepth), `{"a":` + many(150) + `}`, `{"a":` + many(15) + `,"b":` + many(10) + `}`,
		`{"$or":[{"a":` + many(75) + `},{"b":` + many(75) + `}]}`, `{"a":[-1000000000,1e9,0.00001]}`, `{"a":[{"anything-but":` + many(500) + `}]}`} {
		compile(t, good, filter.Body)
	}
	compile(t, `{`+repeated(filter.MaxFacts, ",", `"a%d":["x"]`)+`}`, filter.Body)
	for _, tt := range []struct{ policy, want string }{
		{`[]`, `filter_policy must be an object, not [].`},
		{`"x"`, `filter_policy must be an object, not "x".`},
		{`{"a":`, `filter_policy must be an object`},
		{`{"a":"x"}`, `filter_policy.a must be an array of conditions, not "x".`},
		{`{"a":[]}`, `filter_policy.a must list a condition.`},
		{`{"a":{}}`, `filter_policy.a must have a member.`},
		{`{"a":{"b c":7}}`, `filter_policy.a["b c"] must be an array of conditions, not 7.`},
		{`{"a":["x",["y"]]}`, `filter_policy.a[1] must be a value or an object of one operator, not an array.`},
		{`{"a":[{}]}`, `filter_policy.a[0] must have one operator, not 0.`},
		{`{"a":[{"prefix":"x","suffix":"y"}]}`, `filter_policy.a[0] must have one operator, not 2.`},
		{`{"a":[{"wildcard":"x*"}]}`, `filter_policy.a[0].wildcard is no operator: there are prefix,`},
		{`{"a":[{"prefix":5}]}`, `filter_policy.a[0].prefix must be a string that is not empty, not 5.`},
		{`{"a":[{"suffix":""}]}`, `filter_policy.a[0].suffix must be a string that is not empty, not "".`},
		{`{"a":[{"equals-ignore-case":null}]}`, `filter_policy.a[0].equals-ignore-case must be a string, not null.`},
		{`{"a":[{"exists":"true"}]}`, `filter_policy.a[0].exists must be true or false, not "true".`},
		{`{"a":[{"cidr":"10.0.0.0"}]}`, `filter_policy.a[0].cidr must be a network like`},
		{`{"a":[{"cidr":"10.0.0.0/33"}]}`, `filter_policy.a[0].cidr must be a network like`},
		{`{"a":[{"cidr":8}]}`, `filter_policy.a[0].cidr must be a network like`},
		{`{"a":[{"anything-but":[]}]}`, `filter_policy.a[0].anything-but must list a value.`},
		{`{"a":[{"anything-but":["x",null]}]}`, `filter_policy.a[0].anything-but[1] must be a string or a number, not null.`},
		{`{"a":[{"anything-but":true}]}`, `filter_policy.a[0].anything-but must be a string or a number, not true.`},
		{`{"a":[{"anything-but":{"exists":true}}]}`, `filter_policy.a[0].anything-but takes no operators but prefix and suffix.`},
		{`{"a":[{"anything-but":{"prefix":1}}]}`, `filter_policy.a[0].anything-but.prefix must be a string that is not empty, not 1.`},
		{`{"a":[{"numeric":5}]}`, `filter_policy.a[0].numeric must be an array like`},
		{`{"a":[{"numeric":["=",1,"=",1]}]}`, `filter_policy.a[0].numeric[0] must be one of`},
		{`{"a":[{"numeric":["!",1]}]}`, `filter_policy.a[0].numeric[0] must be one of`},
		{`{"a":[{"numeric":[">",1,">",2]}]}`, `filter_policy.a[0].numeric[2] must be one of`},
		{`{"a":[{"numeric":["<",10,">",2]}]}`, `filter_policy.a[0].numeric[0] must be one of`},
		{`{"a":[{"numeric":[">",10,"<",10.0]}]}`, `filter_policy.a[0].numeric must have the lower number first: 10 is not below 10.0.`},
		{`{"a":[{"numeric":["=","1"]}]}`, `filter_policy.a[0].numeric[1] must be a number, not "1".`},
		{`{"a":[1000000000.00001]}`, `filter_policy.a[0] must be a number between -1000000000 and 1000000000, not 1000000000.00001.`},
		{`{"a":[-1e10]}`, `filter_policy.a[0] must be a number between -1000000000 and 1000000000, not -1e10.`},
		{`{"a":[0.000001]}`, `filter_policy.a[0] must be a number with at most 5 digits behind the point, not 0.000001.`},
		{`{"$or":{"a":[1]}}`, `filter_policy.$or must be an array of two policies or more`},
		{`{"$or":[{"a":[1]}]}`, `filter_policy.$or must be an array of two policies or more`},
		{`{"$or":[{"a":[1]},{}]}`, `filter_policy.$or[1] must have a member.`},
		{`{"$or":[{"a":[1]},"x"]}`, `filter_policy.$or[1] must be an object, not "x".`},
		{`{"x":{"$or":[{"a":[1]},{"b":[{"exists":0}]}]}}`, `filter_policy.x.$or[1].b[0].exists must be true or false, not 0.`},
		{deep(filter.MaxDepth + 1), `is nested too deep: more than 16 levels.`},
		{`{"` + strings.Repeat("a.", filter.MaxDepth) + `a":[1]}`, `is nested too deep: more than 16 levels.`},
		{`{"a":` + many(151) + `}`, `filter_policy is too complex: it allows more than 150 combinations of values.`},
		{`{"a":` + many(51) + `,"b":{"c":` + many(3) + `}}`, `filter_policy is too complex`},
		{`{"$or":[{"a":` + many(75) + `},{"b":` + many(76) + `}]}`, `filter_policy is too complex`},
		{`{` + repeated(filter.MaxFacts+1, ",", `"a%d":["x"]`) + `}`, `filter_policy is too complex: it asks for more than 255 things.`},
		{`{"` + strings.Repeat("a.", 12) + `a":{"` + strings.Repeat("b.", 2) + `b":{"c":["x"]}},"` + strings.Repeat("c.", 12) + `c":{"` + strings.Repeat("b.", 2) + `b":{"c":["x"],"d":["x"],"e":["y"]}}}`, `asks for more than 255 things.`},
		{`{"a":["` + strings.Repeat("x", filter.MaxSize) + `"]}`, `filter_policy must have at most 61440 bytes, not 61450.`},
	} {
		p, err := filter.Compile([]byte(tt.policy), filter.Body)
		if p != nil || !errors.Is(err, messaging.Invalid) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.80s: %v, want %s", tt.policy, err, tt.want)
		}
	}
	if _, err := filter.Compile([]byte(`{"a":{"b":["x"]}}`), filter.Attributes); err == nil || !strings.Contains(err.Error(), "filter_policy.a must be an array") {
		t.Errorf("objects in attributes: %v", err)
	}
	if _, err := filter.Compile([]byte(`{}`), "Body"); err == nil || !strings.Contains(err.Error(), `filter_policy_scope must be MessageBody or MessageAttributes, not "Body"`) {
		t.Errorf("an unknown scope: %v", err)
	}
}

// Random policies and bodies are judged as the reference judges them.
func TestMatchesAsTheReference(t *testing.T) {
	passed := 0
	const rounds = 10000
	for seed := range uint64(rounds) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		scope := filter.Body
		if seed%4 == 0 {
			scope = filter.Attributes
		}
		policy, body := g.policy(3, scope), g.body(scope)
		p, err := filter.Compile([]byte(policy), scope)
		if err != nil {
			if !strings.Contains(err.Error(), "too complex") {
				t.Fatalf("seed %d: %s: %v", seed, policy, err)
			}
			continue
		}
		want := reference{scope}.match(t, policy, body)
		for _, body := range []string{body, indented(body)} {
			if got := p.Match([]byte(body)); got != want {
				t.Fatalf("seed %d: %s passes %s: %v", seed, body, policy, got)
			}
		}
		if want {
			passed++
		}
	}
	if passed < rounds/10 || passed > rounds*9/10 {
		t.Errorf("%d of %d pass: that tells little", passed, rounds)
	}
}

// FuzzMatch compares with the reference what any policy makes of any body.
func FuzzMatch(f *testing.F) {
	f.Add(`{"a":["x",{"prefix":"y"}],"$or":[{"b":[1]},{"c":{"d":[null]}}]}`, `{"a":"x","c":{"d":null}}`, false)
	f.Add(`{"a":[{"numeric":[">=",1,"<",2]}]}`, `{"MessageAttributes":{"a":{"Type":"Number","Value":"1.5"}}}`, true)
	f.Add(`{"a.b":[{"anything-but":["x",1]},{"exists":false}]}`, `[{"a":[{"b":1}]}]`, false)
	f.Add("\f{}", `{}`, false)
	f.Add(`{"a":[{"cidr":"::/0"}]}`, `{"a":"\u003a:1","a":["\"\\"]}`, false)
	f.Add(`{"a.$or":["x"]}`, `{"a":[{"$or":"x"}]}`, false)
	f.Add(`{"a":[{"cidr":"::ffff:0:0/90"}]}`, `{"a":["10.0.0.1","::ffff:10.0.0.1%x"]}`, false)
	f.Fuzz(func(t *testing.T, policy, body string, ofAttributes bool) {
		scope := filter.Body
		if ofAttributes {
			scope = filter.Attributes
		}
		p, err := filter.Compile([]byte(policy), scope)
		if err != nil {
			if !errors.Is(err, messaging.Invalid) {
				t.Fatalf("%q: %v", policy, err)
			}
			return
		}
		got := p.Match([]byte(body)) // of anything, without a panic
		valid := jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true))
		if !valid || !tame(body) || !tame(policy) || ofAttributes || strings.TrimSpace(policy) == "" {
			return // what stands in attributes has no single obvious reading
		}
		if want := (reference{scope}).match(t, policy, body); got != want {
			t.Fatalf("%s passes %s: %v", body, policy, got)
		}
	})
}

// What the documentation shows is a policy, and lets pass what it says.
func TestDocumentedPolicies(t *testing.T) {
	page, err := os.ReadFile("../../docs/notifications.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(page), "filter policies\n")
	blocks := strings.Split(rest, "```json\n")
	if !ok || len(blocks) < 3 {
		t.Fatal("no policy and no message is shown")
	}
	policy, _, _ := strings.Cut(blocks[1], "```")
	message, _, _ := strings.Cut(blocks[2], "```")
	p := compile(t, policy, filter.Body)
	for body, want := range map[string]bool{
		`{"store":"south-1","price":10.5,"customer":{"tier":"gold"},"urgent":true}`:  true,
		`{"store":"north","price":99,"customer":{"tier":"gold"},"coupon":null}`:      true,
		`{"store":"north","price":99,"customer":{"tier":"gold"},"urgent":false}`:     false,
		`{"store":"north","price":100,"customer":{"tier":"gold"},"urgent":true}`:     false,
		`{"store":"north","price":99,"customer":{"tier":"basic"},"urgent":true}`:     false,
		`{"store":"northern","price":99,"customer":{"tier":"gold"},"urgent":true}`:   false,
		`{"store":"north","price":"99","customer":{"tier":"gold"},"urgent":"true"}`:  false,
		`[{"store":"north","price":99,"customer":{"tier":"gold"},"urgent":"true"}]`:  false,
		`{"store":["x","north"],"price":[99],"customer":[{"tier":1}],"urgent":true}`: true,
	} {
		if p.Match([]byte(body)) != want {
			t.Errorf("%s passes: %v", body, !want)
		}
	}
	if !compile(t, `{"store":["north"],"price":[{"numeric":["=",10.5]}]}`, filter.Attributes).Match([]byte(message)) {
		t.Errorf("these are no attributes: %s", message)
	}
	_, err = filter.Compile([]byte(`{"price":[{"numeric":[">",100,"<",10]}]}`), filter.Body)
	if e := (*messaging.Error)(nil); !errors.As(err, &e) || !strings.Contains(rest, "`options."+e.What+"`") {
		t.Errorf("the error shown is not %v", err)
	}
}
