package checksum

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/internal/need"
)

func TestOfGivesTheKnownSums(t *testing.T) {
	for _, tt := range []struct{ body, want string }{
		{`{"a": 1}`, "MD5:42b7b4f2921788ea14dac5566e6f06d0"},
		{`{"a":1}`, "MD5:42b7b4f2921788ea14dac5566e6f06d0"},
		{"\n{ \"\\u0061\" :\t1 } ", "MD5:42b7b4f2921788ea14dac5566e6f06d0"},
		{`"str"`, "MD5:767e2d7912ebefdfe18495ed53635fc8"},
		{`[1, 2]`, "MD5:04cd0e0151f352e7fd414d694a604136"},
	} {
		if got, err := Of([]byte(tt.body)); got != tt.want || err != nil {
			t.Errorf("Of(%s) = %s, %v; want %s", tt.body, got, err, tt.want)
		}
	}
}

// forms are JSON texts and what Python makes of them.
var forms = []struct{ in, want string }{
	{`null`, `null`},
	{` true `, `true`},
	{`[]`, `[]`},
	{`[ ]`, `[]`},
	{`{ }`, `{}`},
	{`{"b":[1,{"c":[]}],"a":{}}`, `{"b": [1, {"c": []}], "a": {}}`},
	{`[[],[[]],{}]`, `[[], [[]], {}]`},

	{`0`, `0`},
	{`-0`, `0`},
	{`-17`, `-17`},
	{`9223372036854775807`, `9223372036854775807`},
	{`-9223372036854775808`, `-9223372036854775808`},
	{`123456789012345678901234567890`, `123456789012345678901234567890`},

	{`1.0`, `1.0`},
	{`-0.0`, `-0.0`},
	{`0e5`, `0.0`},
	{`1.10`, `1.1`},
	{`1e2`, `100.0`},
	{`1E+2`, `100.0`},
	{`1e15`, `1000000000000000.0`},
	{`9999999999999998.0`, `9999999999999998.0`},
	{`1e16`, `1e+16`},
	{`12345678901234567890.5`, `1.2345678901234567e+19`},
	{`0.0001`, `0.0001`},
	{`0.00012`, `0.00012`},
	{`0.00001`, `1e-05`},
	{`1.5e-5`, `1.5e-05`},
	{`1e100`, `1e+100`},
	{`5e-324`, `5e-324`},
	{`1e-400`, `0.0`},
	{`1e400`, `Infinity`},
	{`-1e400`, `-Infinity`},
	{`0.1`, `0.1`},
	{`0.30000000000000004`, `0.30000000000000004`},

	{`"a\/b"`, `"a/b"`},
	{`"\u002f\u0022\u005c"`, `"/\"\\"`},
	{`"\b\f\n\r\t\"\\"`, `"\b\f\n\r\t\"\\"`},
	{`"\u0008\u000c\u000A\u000d\u0009"`, `"\b\f\n\r\t"`},
	{`"\u0000\u001F"`, `"\u0000\u001f"`},
	{"\"\u007f ~\"", `"\u007f ~"`},
	{`"é"`, `"\u00e9"`},
	{`"\u00E9"`, `"\u00e9"`},
	{"\"\u2028\uffff\"", `"\u2028\uffff"`},
	{`"😀"`, `"\ud83d\ude00"`},
	{`"\uD83D\uDE00"`, `"\ud83d\ude00"`},
	{`"\ud800"`, `"\ud800"`},
	{`"\ude00\ud83d"`, `"\ude00\ud83d"`},
	{`{"é":"é"}`, `{"\u00e9": "\u00e9"}`},

	{`{"a":1,"b":2,"a":3}`, `{"a": 3, "b": 2}`},
	{`{"a":1,"\u0061":2}`, `{"a": 2}`},
	{`{"a":"{x","a":1,"b":2}`, `{"a": 1, "b": 2}`},
	{`{"b":{"a":1,"a":{"c":1,"c":[{"d":1,"d":2}]}},"b2":0}`, `{"b": {"a": {"c": [{"d": 2}]}}, "b2": 0}`},
	{`{"x":{"y":1},"x":{"y":1,"y":2}}`, `{"x": {"y": 2}}`},
	{`{"":1,"":2}`, `{"": 2}`},
}

func TestFormIsThatOfPython(t *testing.T) {
	for _, tt := range forms {
		got, err := form([]byte(tt.in))
		if err != nil {
			t.Errorf("Form(%s): %v", tt.in, err)
			continue
		}
		if d := cmp.Diff(tt.want, string(got)); d != "" {
			t.Errorf("Form(%s) (-want +got):\n%s", tt.in, d)
		}
	}
}

func TestFormRefusesWhatIsNotJSON(t *testing.T) {
	for _, in := range []string{``, `{`, `[1`, `{"a"}`, `{"a":1,}`, `[1,]`, `NaN`, `01`, `"a`, `"\x"`, `"\u12"`, `nul`, `1 2`, `{} x`} {
		if got, err := Of([]byte(in)); err == nil {
			t.Errorf("Of(%q) = %s, want an error", in, got)
		}
	}
}

func TestDeepDuplicatesAreCheap(t *testing.T) {
	const depth = 5000
	in := strings.Repeat(`{"a":1,"a":`, depth) + "2" + strings.Repeat("}", depth)
	want := strings.Repeat(`{"a": `, depth) + "2" + strings.Repeat("}", depth)
	got, err := form([]byte(in))
	if err != nil || string(got) != want {
		t.Errorf("wrong form of %d nested objects (%v)", depth, err)
	}
}

// TestPythonAgrees compares a large corpus with the serialiser itself.
func TestPythonAgrees(t *testing.T) {
	python := need.Program(t, "python3")
	var corpus []string
	for _, f := range forms {
		corpus = append(corpus, f.in)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		corpus = append(corpus, randomJSON(r, 4))
	}
	var in bytes.Buffer
	for _, text := range corpus {
		line, _ := json.Marshal([]byte(text)) // base64 in quotes: any bytes in one line
		in.Write(line)
		in.WriteByte('\n')
	}
	cmd := exec.Command(python, "-c", `
import base64, json, sys
for line in sys.stdin:
    text = base64.b64decode(line).decode("utf-8")
    print(json.dumps(json.loads(text)))
`)
	cmd.Stdin = &in
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3: %v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(corpus) {
		t.Fatalf("python3 wrote %d lines for %d texts", len(lines), len(corpus))
	}
	for i, text := range corpus {
		got, err := form([]byte(text))
		if err != nil || string(got) != lines[i] {
			t.Fatalf("Form(%s)\n got %s (%v)\nwant %s", text, got, err, lines[i])
		}
	}
}

// randomJSON writes a JSON text with odd spellings.
func randomJSON(r *rand.Rand, depth int) string {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	blank := []string{"", "", " ", "\n\t"}[r.IntN(4)]
	switch r.IntN(kinds) {
	case 0:
		return []string{"null", "true", "false"}[r.IntN(3)]
	case 1:
		return fmt.Sprint(r.Int64() >> r.IntN(63) * int64(1-2*r.IntN(2)))
	case 2:
		return randomFraction(r)
	case 3:
		return randomString(r)
	case 4:
		var items []string
		for range r.IntN(4) {
			items = append(items, blank+randomJSON(r, depth-1)+blank)
		}
		return "[" + strings.Join(items, ",") + "]"
	default:
		var items []string
		for range r.IntN(5) {
			items = append(items, randomName(r)+blank+":"+blank+randomJSON(r, depth-1))
		}
		return "{" + blank + strings.Join(items, blank+",") + "}"
	}
}

func randomFraction(r *rand.Rand) string {
	s := fmt.Sprint(r.IntN(2000) - 1000)
	if r.IntN(2) == 0 {
		s += fmt.Sprintf(".%0*d", 1+r.IntN(17), r.IntN(1e9))
	}
	return s + fmt.Sprintf("%s%s%d", []string{"e", "E"}[r.IntN(2)], []string{"", "+", "-"}[r.IntN(3)], r.IntN(40))
}

func randomName(r *rand.Rand) string {
	return []string{`"a"`, `"\u0061"`, `"b"`, `"ab"`, randomString(r)}[r.IntN(5)]
}

func randomString(r *rand.Rand) string {
	var b strings.Builder
	b.WriteByte('"')
	for range r.IntN(8) {
		switch r.IntN(6) {
		case 0:
			fmt.Fprintf(&b, `\u%04x`, r.IntN(0x10000))
		case 1:
			fmt.Fprintf(&b, `\u%04X`, r.IntN(0x80))
		case 2:
			b.WriteString([]string{`\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`}[r.IntN(8)])
		case 3:
			b.WriteRune([]rune{0x7f, 0x80, 0xe9, 0x2028, 0xd7ff, 0xe000, 0xfffd, 0x1f600, 0x10ffff}[r.IntN(9)])
		default:
			b.WriteString([]string{"a", "Z", " ", "/", "{", "}", ":", ","}[r.IntN(8)])
		}
	}
	b.WriteByte('"')
	return b.String()
}

func FuzzForm(f *testing.F) {
	for _, tt := range forms {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := form(in)
		if err != nil {
			return
		}
		if bytes.Contains(once, []byte("Infinity")) {
			return // not JSON: nothing to read again
		}
		twice, err := form(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("Form(%q) = %q, and the form of that %q (%v)", in, once, twice, err)
		}
		for _, c := range once {
			if c < ' ' || c > '~' {
				t.Fatalf("Form(%q) = %q holds the byte %#x", in, once, c)
			}
		}
	})
}

func BenchmarkOf(b *testing.B) {
	body := []byte(`{"event":"start","items":[1,2.5,"é"],"text":"` + strings.Repeat("x", 900) + `"}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := Of(body); err != nil {
			b.Fatal(err)
		}
	}
}
