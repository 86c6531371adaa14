package broker_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"zaqar/broker"
)

func TestQueueFilters(t *testing.T) {
	w := newWorld(t)
	for name, metadata := range map[string]string{
		"Z":     `{}`,
		"a.b":   `{"node":31,"x":"abc","a":{"b":1}}`,
		"axb":   `{"node":"31","x":"a,b"}`,
		"calls": `{"node":32,"x":"abc","_max_messages_post_size":2000}`,
		"q1":    `{"node":-31,"x":null,"f":1.0,"t":true}`,
		"q2":    `{"node":31,"x":"","big":9223372036854775807,"z":0}`,
	} {
		w.create(queue(name), metadata)
	}
	for _, tt := range []struct {
		name, filters, want string
	}{
		{"", "", "Z a.b axb calls q1 q2"},
		{"q", "", "q1 q2"},
		{"Q", "", ""},
		{".", "", "a.b"},
		{"[", "", ""},
		{"a", "", "a.b axb calls"},
		{"", "node=31", "a.b q2"},
		{"", "node=+31", "a.b q2"},
		{"", "node= 31 ", "a.b q2"},
		{"", "node=-31", "q1"},
		{"", "node=+-31", ""},
		{"", "node=31.0", ""},
		{"", "node=031", "a.b q2"},
		{"", "x=abc", "a.b calls"},
		{"", "x=a,b", "axb"},
		{"", "x=null", ""},
		{"", "x=", "q2"},
		{"", "f=1", ""},
		{"", "f=1.0", ""},
		{"", "t=true", ""},
		{"", "z=0", "q2"},
		{"", "z=-0", "q2"},
		{"", "big=9223372036854775807", "q2"},
		{"", "big=9223372036854775808", ""},
		{"", "a.b=1", ""},
		{"", "missing=1", ""},
		{"", "_max_messages_post_size=2000", "calls"},
		{"", "_max_messages_post_size=262144", ""},
		{"", "_default_message_ttl=3600", ""},
		{"", "node=31&x=abc", "a.b"},
		{"", "x=abc&x=other", ""},
		{"l", "x=abc", "calls"},
	} {
		in := broker.ListQueues{Name: tt.name, Count: true}
		for f := range strings.SplitSeq(tt.filters, "&") {
			if key, value, ok := strings.Cut(f, "="); ok {
				in.Filters = append(in.Filters, broker.Filter{Key: key, Value: value})
			}
		}
		page, err := w.ListQueues(w.ctx(), w.who, in)
		if err != nil || names(page) != tt.want || page.Count != 6 {
			t.Errorf("name %q, filters %q: %q and count %d, want %q and 6 (%v)", tt.name, tt.filters, names(page), page.Count, tt.want, err)
		}
	}
}

func TestFilteredPagesContinue(t *testing.T) {
	w := newWorld(t)
	var want []string
	for i := range 450 {
		name, metadata := fmt.Sprintf("n%03d", i), `{}`
		if i%70 == 69 {
			metadata, want = `{"k":"v"}`, append(want, name)
		}
		w.create(queue(name), metadata)
	}
	var got []string
	marker := ""
	for range 20 {
		page, err := w.ListQueues(w.ctx(), w.who, broker.ListQueues{
			Limit: ptr(2), Marker: marker, Filters: []broker.Filter{{Key: "k", Value: "v"}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Queues) == 0 {
			break
		}
		got = append(got, names(page))
		marker = page.Queues[len(page.Queues)-1].Ref.Name
	}
	wantEqual(t, "names", strings.Join(got, " "), strings.Join(want, " "))
}

// crowd makes an object of n members that are all 1, and a filter for each.
func crowd(n int) (metadata string, filters []broker.Filter) {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%x":1`, i)
		filters = append(filters, broker.Filter{Key: fmt.Sprintf("%x", i), Value: "1"})
	}
	return "{" + b.String()[1:] + "}", filters
}

// A client may send as many filters as fit into a request, to queues with as
// many members as fit into their metadata.
func TestManyFilters(t *testing.T) {
	w := newWorld(t, func(c *broker.Config) { c.MaxQueueMetadata = 1 << 20 })
	metadata, filters := crowd(50_000)
	for _, name := range []string{"a", "b", "c"} {
		w.create(queue(name), metadata)
	}
	for _, tt := range []struct {
		more []broker.Filter
		want string
	}{
		{nil, "a b c"},
		{[]broker.Filter{{Key: "0", Value: "1"}}, "a b c"},
		{[]broker.Filter{{Key: "0", Value: "2"}}, ""},
		{[]broker.Filter{{Key: "none", Value: "1"}}, ""},
	} {
		page, err := w.ListQueues(w.ctx(), w.who, broker.ListQueues{Filters: slices.Concat(filters, tt.more)})
		if err != nil || names(page) != tt.want {
			t.Errorf("with %v: %q, want %q (%v)", tt.more, names(page), tt.want, err)
		}
	}
}

// BenchmarkManyFilters shows what a list costs per filter: the same for many
// as for few.
func BenchmarkManyFilters(b *testing.B) {
	for _, n := range []int{10, 1000, 6000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b)
			metadata, filters := crowd(n)
			w.create(q, metadata)
			for b.Loop() {
				if page, err := w.ListQueues(w.ctx(), w.who, broker.ListQueues{Filters: filters}); err != nil || len(page.Queues) != 1 {
					b.Fatal(len(page.Queues), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/filter")
		})
	}
}
