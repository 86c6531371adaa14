package load

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func list(ids string) (l idList) {
	for _, id := range strings.Fields(ids) {
		l = l.add(0, []byte(id))
	}
	return l
}

func TestAudit(t *testing.T) {
	type does struct{ posted, claimed, listed, deleted string }
	tests := []struct {
		name string
		logs []does // of one connection each
		left string
		want string // in the error; empty: none
	}{
		{"all there", []does{{posted: "a b c"}}, "a b c", ""},
		{"posts interleave", []does{{posted: "a b"}, {posted: "x y"}}, "a x y b", ""},
		{"claimed and deleted", []does{{posted: "a b c d"}, {claimed: "a c", deleted: "a c"}, {claimed: "b", deleted: "b"}}, "d", ""},
		{"claimed only", []does{{posted: "a b", claimed: "a"}}, "a b", ""},
		{"deleted by another", []does{{deleted: "a"}, {posted: "a"}}, "", ""},
		{"listed by two", []does{{posted: "a b"}, {listed: "a b"}, {listed: "a b"}}, "a b", ""},
		{"empty", nil, "", ""},
		{"queues have orders of their own", []does{{posted: "1/a 2/b 1/c"}, {claimed: "2/b 1/a 1/c"}}, "2/b 1/a 1/c", ""},
		{"ids are a queue's", []does{{posted: "1/a 2/a"}}, "1/a 2/a", ""},
		{"lost", []does{{posted: "a b c"}}, "a c", "1 lost (b)"},
		{"many lost", []does{{posted: "a b c d e f g"}}, "a", "6 lost (b, c, d, e, f, …)"},
		{"lost after claim", []does{{posted: "a b", claimed: "a"}}, "b", "1 lost (a)"},
		{"left twice", []does{{posted: "a b"}}, "a b a", "1 duplicate (a)"},
		{"listed twice", []does{{posted: "a b"}, {listed: "a b a"}}, "a b", "1 duplicate (a)"},
		{"id given out twice", []does{{posted: "a"}, {posted: "a"}}, "a", "1 duplicate (a)"},
		{"phantom", []does{{posted: "a"}}, "a z", "1 never posted (z)"},
		{"phantom claim", []does{{posted: "a"}, {claimed: "z"}}, "a", "1 never posted (z)"},
		{"phantom list", []does{{posted: "a"}, {listed: "z"}}, "a", "1 never posted (z)"},
		{"phantom delete", []does{{posted: "a"}, {deleted: "z"}}, "a", "1 never posted (z)"},
		{"of another queue", []does{{posted: "1/a"}}, "2/a", "1 lost (1/a); 1 never posted (2/a)"},
		{"claimed twice", []does{{posted: "a b"}, {claimed: "a b"}, {claimed: "a"}}, "a b", "1 claimed twice (a)"},
		{"deleted twice", []does{{posted: "a b", claimed: "a"}, {deleted: "a a"}}, "b", "1 deleted twice (a)"},
		{"back", []does{{posted: "a b", claimed: "a", deleted: "a"}}, "a b", "1 back after deletion (a)"},
		{"order", []does{{posted: "a b c"}}, "a c b", "1 out of order (b)"},
		{"order of claims", []does{{posted: "a b"}, {claimed: "b a"}}, "a b", "1 out of order (a)"},
		{"order of a list", []does{{posted: "a b"}, {listed: "b a"}}, "a b", "1 out of order (a)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l Ledger
			for _, d := range tt.logs {
				g := l.Log()
				g.posted, g.claimed, g.listed, g.deleted = list(d.posted), list(d.claimed), list(d.listed), list(d.deleted)
			}
			_, err := l.Audit(&Log{listed: list(tt.left)}, time.Time{}, time.Time{})
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want nothing", err)
			case tt.want != "" && (!errors.Is(err, ErrFindings) || !strings.HasSuffix(err.Error(), ": "+tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAuditMissed(t *testing.T) {
	var l Ledger
	l.Log().posted = list("a b c")
	reader := l.Log()
	reader.Complete = true
	reader.listed = list("a c")
	left := &Log{listed: list("a b c")}
	if _, err := l.Audit(left, time.Time{}, time.Time{}); err == nil || !strings.Contains(err.Error(), "1 missed by a reader (b)") {
		t.Errorf("got %v", err)
	}
	reader.listed = list("a b c")
	if _, err := l.Audit(left, time.Time{}, time.Time{}); err != nil {
		t.Error(err)
	}
}

func TestAuditMeasuresDelivery(t *testing.T) {
	l := Ledger{Keeps: Keeps{Timed: true}}
	producer, consumer := l.Log(), l.Log()
	begun := time.Now()
	at := func(n int) time.Time { return begun.Add(time.Duration(n) * time.Millisecond) }
	for i, id := range []string{"a", "b", "c"} {
		producer.At(at(10 * i))
		producer.Posted(0, []byte(id))
	}
	consumer.At(at(25))
	consumer.Claimed(0, []byte("a"))
	consumer.Claimed(0, []byte("b"))
	left := new(Log)
	for _, id := range []string{"a", "b", "c"} {
		left.Listed(0, []byte(id))
	}
	a, err := l.Audit(left, at(5), at(15)) // b only
	if err != nil {
		t.Fatal(err)
	}
	if a.Delivery.Count() != 1 || a.Delivery.Max() != 15*time.Millisecond {
		t.Errorf("%d deliveries, at most %v", a.Delivery.Count(), a.Delivery.Max())
	}
	if a.Posted != 3 || a.Claimed != 2 || a.Deleted != 0 || a.Left != 3 {
		t.Errorf("account %+v", a)
	}
}

func TestFindingsNameAFew(t *testing.T) {
	var f Finding
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		f.add(id)
	}
	if f.Count != 7 || !slices.Equal(f.IDs, []string{"a", "b", "c", "d", "e"}) {
		t.Errorf("got %+v", f)
	}
}

func TestIDList(t *testing.T) {
	l := list("a bb").add(7, []byte("ccc"))
	if got := slices.Collect(l.all()); !slices.Equal(got, []string{"a", "bb", "7/ccc"}) || l.len() != 3 {
		t.Errorf("got %q, %d", got, l.len())
	}
	if got := slices.Collect(idList(nil).all()); got != nil {
		t.Errorf("an empty list has %q", got)
	}
	if queueOf("7/ccc") != 7 || queueOf("a") != 0 {
		t.Error("the queue of a key")
	}
}
