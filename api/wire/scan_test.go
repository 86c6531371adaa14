package wire

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// scans reports whether the scanner takes the text for one document.
func scans(raw []byte) bool {
	end := scanValue(raw, scanBlank(raw, 0), 0)
	return end >= 0 && scanBlank(raw, end) == len(raw)
}

// agree fails the test unless the scanner judges the text as the JSON library
// does, apart from the limits.
func agree(t *testing.T, raw []byte) {
	t.Helper()
	want := checkLimits(raw) == nil && jsontext.Value(raw).IsValid(jsontext.AllowDuplicateNames(true))
	if got := scans(raw); got != want {
		t.Errorf("%.200q: taken %v, want %v", raw, got, want)
	}
}

func scanSeeds() []string {
	seeds := []string{
		"", " ", "null", "nul", "nulls", "true", "false", "fals\x00", "tru", "[", "]", "{", "}", "[]", "{}", "[ ]", "{ }", "[,]", "{,}", "[1,]", "[1 2]", "[1,2]",
		`{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1 "b":2}`, `{"a":1,"a":2}`, `{1:2}`, `{"a" : [ {} , [ ] ] }`, "\t\r\n {\r\n\"a\"\t:\n1 } ", "\v1", "\f[]", "\u00a01",
		"0", "-0", "-", "+1", "00", "01", "-01", "1.", ".5", "0.5", "1.5e", "1e", "1e+", "1E-", "1E-0", "1e007", "0e0", "1.e1", "--1", "1-", "0x1", "1_0", "Infinity", "NaN",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1000000000000000000", "99999999999999999999.0", "99999999999999999999e0",
		`"`, `"a`, `"\`, `"\"`, `""`, `"\\"`, `"\\\"`, `"\/\b\f\n\r\t\""`, `"\v"`, `"\'"`, `"\x41"`, `"\u"`, `"\u123"`, `"\u12g4"`, `"\u1234"`, `"\U1234"`, `"\uABCD\uabcd"`,
		`"\ud800"`, `"\ud800\ud800"`, `"\udc00"`, `"\ud800\udc00"`, `"\uDBFF\uDFFF"`, `"\ud83d\ude00x"`, `"\ud800x"`, `"\ud800\n"`, `"\ud800\u0041"`, `"\ud800\udc0"`, `"\ue000"`, `"\ud7ff"`,
		"\"\x00\"", "\"\x1f\"", "\"\x20\"", "\"\x7f\"", "\"\x80\"", "\"\xc0\xaf\"", "\"\xc3\xa9\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xef\xbf\xbd\"", "\"\xf4\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"", "\"\xff\"", "\ufeff{}",
		nested(MaxDepth), nested(MaxDepth + 1), "[" + strings.Repeat(`{"a":`, MaxDepth), strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth), strings.Repeat("[", 100_000),
	}
	return seeds
}

func TestScannerAgrees(t *testing.T) {
	for _, s := range scanSeeds() {
		agree(t, []byte(s))
		agree(t, []byte(` {"a" : [`+s+`] } `))
	}
}

// TestEveryByteEverywhere has each byte at each place of two words and a half,
// and those that end a search at each place of two blocks and a half: strings
// are scanned 32 bytes at a time, and their ends 8 bytes.
func TestEveryByteEverywhere(t *testing.T) {
	all := make([]byte, 256)
	for c := range all {
		all[c] = byte(c)
	}
	special := []byte{'"', '\\', '!', 0x1f, 0x80, 0xff}
	for length := range 80 {
		bytes := special
		if length <= 20 {
			bytes = all
		}
		for place := range length {
			for _, c := range bytes {
				text := []byte(`"` + strings.Repeat("x", length) + `"`)
				text[1+place] = c
				agree(t, text)
				for _, next := range special { // a borrow must not hide it
					text[min(2+place, length)] = next
					agree(t, text)
				}
			}
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range scanSeeds() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { agree(t, raw) })
}
