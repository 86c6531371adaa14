package spelling

import "testing"

func TestNearest(t *testing.T) {
	words := []string{"queues:get", "queues:get_all", "claims:get"}
	for name, want := range map[string]string{"queue:get": "queues:get", "Queues-Get": "queues:get", "claim:get": "claims:get", "pools": "", "": ""} {
		if got := Nearest(name, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"debug", "debug", 0}, {"Debug", "debug", 0}, {"a-b", "a_b", 0},
		{"debgu", "debug", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
