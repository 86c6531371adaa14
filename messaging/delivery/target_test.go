package delivery_test

import (
	"testing"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

func TestTargetQueue(t *testing.T) {
	for text, want := range map[string]messaging.QueueRef{
		"q": {Project: "p", Name: "q"}, "%71": {Project: "p", Name: "q"}, "o/q": {Project: "o", Name: "q"}, "o%2Fq%2e1": {Project: "o", Name: "q.1"},
		"a/b/q": {Project: "a/b", Name: "q"}, "": {}, "/q": {}, "o/": {}, "q%": {}, "q%7": {}, "q%zz": {}, "%00": {}, "a b": {}, "a?b": {},
	} {
		if got, ok := delivery.TargetQueue("p", text); ok != (want.Name != "") || ok && got != want {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}
}
