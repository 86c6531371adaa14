package load

import (
	"slices"
	"strings"
	"testing"
)

func list(ids string) (l idList) {
	for _, id := range strings.Fields(ids) {
		l = l.add([]byte(id))
	}
	return l
}

func TestAudit(t *testing.T) {
	tests := []struct {
		name                     string
		posted, claimed, deleted []string // of one connection each
		listed                   string
		want                     string // in the error; empty: none
	}{
		{"all there", []string{"a b c"}, nil, nil, "a b c", ""},
		{"posts interleave", []string{"a b", "x y"}, nil, nil, "a x y b", ""},
		{"claimed and deleted", []string{"a b c d"}, []string{"a c", "b"}, []string{"a c", "b"}, "d", ""},
		{"claimed only", []string{"a b"}, []string{"a"}, nil, "a b", ""},
		{"empty", nil, nil, nil, "", ""},
		{"lost", []string{"a b c"}, nil, nil, "a c", "1 messages lost, such as b"},
		{"lost after claim", []string{"a b"}, []string{"a"}, nil, "b", "lost, such as a"},
		{"listed twice", []string{"a b"}, nil, nil, "a b a", "1 messages listed twice or more, such as a"},
		{"id given out twice", []string{"a", "a"}, nil, nil, "a", "listed twice or more, such as a"},
		{"phantom", []string{"a"}, nil, nil, "a z", "1 messages never posted, such as z"},
		{"phantom claim", []string{"a"}, []string{"z"}, nil, "a", "never posted, such as z"},
		{"phantom delete", []string{"a"}, nil, []string{"z"}, "a", "never posted, such as z"},
		{"claimed twice", []string{"a b"}, []string{"a b", "a"}, nil, "a b", "1 messages claimed twice, such as a"},
		{"deleted twice", []string{"a b"}, []string{"a"}, []string{"a", "a"}, "b", "1 messages deleted twice, such as a"},
		{"back", []string{"a b"}, []string{"a"}, []string{"a"}, "a b", "1 messages back after deletion, such as a"},
		{"order", []string{"a b c"}, nil, nil, "a c b", "1 messages out of order, such as b"},
		{"order of claims", []string{"a b"}, []string{"b a"}, nil, "a b", "out of order, such as a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l ledger
			for _, ids := range tt.posted {
				l.posted = append(l.posted, list(ids))
			}
			for _, ids := range tt.claimed {
				l.claimed = append(l.claimed, list(ids))
			}
			for _, ids := range tt.deleted {
				l.deleted = append(l.deleted, list(ids))
			}
			err := l.audit(slices.Values(strings.Fields(tt.listed)))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want nothing", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestIDList(t *testing.T) {
	l := list("a bb ccc")
	if got := slices.Collect(l.all()); !slices.Equal(got, []string{"a", "bb", "ccc"}) || l.len() != 3 {
		t.Errorf("got %q, %d", got, l.len())
	}
}
