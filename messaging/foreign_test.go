package messaging_test

import (
	"strings"
	"testing"

	"zaqar/messaging"
)

func TestFalseLike(t *testing.T) {
	for _, v := range []string{`null`, `0`, `-0`, `0.0`, `0e7`, `""`, `false`, `[]`, `[ ]`, `{}`, "{\n}", ` 0 `, ``} {
		if !messaging.FalseLike([]byte(v)) {
			t.Errorf("%s is not false-like", v)
		}
	}
	for _, v := range []string{`1`, `-1`, `0.1`, `" "`, `"0"`, `true`, `[0]`, `{"":0}`, `1e999`} {
		if messaging.FalseLike([]byte(v)) {
			t.Errorf("%s is false-like", v)
		}
	}
}

// What an error repeats of a foreign value is short and whole characters.
func TestForeignTextIsShown(t *testing.T) {
	for _, tt := range []struct{ in, quoted, given string }{
		{"", `""`, ""},
		{"a\nb", `"a\nb"`, "a\nb"},
		{strings.Repeat("x", 40), `"` + strings.Repeat("x", 40) + `"`, strings.Repeat("x", 40)},
		{strings.Repeat("x", 41), `"` + strings.Repeat("x", 40) + `"…`, strings.Repeat("x", 40) + "…"},
		{strings.Repeat("x", 39) + "é", `"` + strings.Repeat("x", 39) + `"…`, strings.Repeat("x", 39) + "…"},
	} {
		if got := messaging.Quoted(tt.in); got != tt.quoted {
			t.Errorf("%q is quoted as %s, want %s", tt.in, got, tt.quoted)
		}
		if got := messaging.Given([]byte(tt.in)); got != tt.given {
			t.Errorf("%q is given as %s, want %s", tt.in, got, tt.given)
		}
	}
}
