package embedded

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/storage"
)

func TestMergePurges(t *testing.T) {
	ts := func(pos ...uint64) (out []target) {
		for _, p := range pos {
			out = append(out, target{pos: p, seg: 1})
		}
		return out
	}
	for name, c := range map[string]struct{ earlier, op, want []operation }{
		"first":        {nil, []operation{{from: 0, to: 9}}, []operation{{from: 0, to: 9}}},
		"continued":    {[]operation{{from: 0, to: 9, targets: ts(3)}}, []operation{{from: 10, to: 19, targets: ts(12)}}, []operation{{from: 0, to: 19, targets: ts(3, 12)}}},
		"covered":      {[]operation{{from: 0, to: 9, targets: ts(3, 5)}}, []operation{{from: 0, to: 19, targets: ts(5)}}, []operation{{from: 0, to: 19, targets: ts(5)}}},
		"apart":        {[]operation{{from: 0, to: 9, targets: ts(3)}}, []operation{{from: 11, to: 19}}, []operation{{from: 0, to: 9, targets: ts(3)}, {from: 11, to: 19}}},
		"overlapping":  {[]operation{{from: 0, to: 9, targets: ts(3, 7)}}, []operation{{from: 5, to: 19}}, []operation{{from: 0, to: 19, targets: ts(3)}}},
		"between both": {[]operation{{from: 0, to: 4, targets: ts(3)}, {from: 10, to: 14, targets: ts(13)}}, []operation{{from: 5, to: 9}}, []operation{{from: 0, to: 14, targets: ts(3, 13)}}},
	} {
		t.Run(name, func(t *testing.T) {
			var earlier []*operation
			for i := range c.earlier {
				earlier = append(earlier, &c.earlier[i])
			}
			var got []operation
			for _, op := range mergePurges(earlier, &c.op[0]) {
				got = append(got, *op)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(operation{}, target{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A purge in several records deletes what one would, also when compaction has
// condensed them, and spares what is claimed in each.
func TestPurgeInLots(t *testing.T) {
	w := ready(t)
	var spared []messaging.MessageID
	for range 2 {
		w.does(t, post(boxes[0], 1, forever, 0, 30), post(boxes[0], 4, forever, 0, 30))
	}
	old := w.turnPage(t, true)
	for k := range 3 {
		w.does(t, claimSome(boxes[0], storage.Terms{TTL: 600, Limit: 1}))
		spared = append(spared, w.claims[k].ids...)
	}
	q := w.store.lookup(boxes[0])
	end, lots := w.store.journal.horizon(), 0
	ids := make([]messaging.MessageID, 0, 30)
	for _, m := range w.posted {
		if m.queue == boxes[0] && !slices.Contains(spared, m.id) {
			ids = append(ids, m.id)
		}
	}
	for from := uint64(0); from < end; lots++ {
		to := min(end, from+3)
		q.mu.Lock()
		ch := &change{q: q, op: operation{kind: recPurge, from: from, to: to - 1}}
		q.each(from, func(c *chunk, i int) bool {
			e := &c.entries[i]
			if e.pos >= to {
				return false
			}
			if e.claim != 0 {
				ch.op.targets = append(ch.op.targets, target{pos: e.pos, seg: e.seg})
			} else {
				e.flags |= entryKills
			}
			return true
		})
		g, err := ch.submit(0, nil)
		q.mu.Unlock()
		must(t, err)
		must(t, g.wait())
		from = to
	}
	for _, id := range ids {
		w.delivered(id)
	}
	if lots < 4 {
		t.Fatalf("%d lots", lots)
	}
	records := w.turnPage(t, false)
	w.unchanged(t)
	w.tearOut(t, records)
	if w.store.segment(old) == nil {
		t.Fatal("the segment with the messages is gone: nothing is shown")
	}
	w.reopened(t)
	page, err := w.store.Scan(context.Background(), boxes[0], everything)
	must(t, err)
	var got []messaging.MessageID
	for i := range page {
		got = append(got, page[i].ID)
	}
	if diff := cmp.Diff(spared, got); diff != "" {
		t.Errorf("left in the queue (-want +got):\n%s", diff)
	}
}

// More messages than fit one lot go, and none that comes meanwhile.
func TestPurgeOfMany(t *testing.T) {
	w := ready(t)
	ctx := context.Background()
	drafts := slices.Repeat([]messaging.Draft{{TTL: forever, Body: []byte("1")}}, 1000)
	for range purgeLot/1000*2 + 3 {
		_, err := w.store.Append(ctx, boxes[0], clients[0], drafts, storage.AppendOptions{})
		must(t, err)
	}
	lease, err := w.store.Claim(ctx, boxes[0], storage.Terms{TTL: 60, Limit: 3})
	must(t, err)
	must(t, w.store.Purge(ctx, boxes[0]))
	tally, err := w.store.Tally(ctx, boxes[0])
	if err != nil || tally.Total != len(lease.Messages) || tally.Claimed != 3 {
		t.Errorf("%+v are left (%v), want what is claimed", tally, err)
	}
	w.reopened(t)
	if tally, err := w.store.Tally(ctx, boxes[0]); err != nil || tally.Total != 3 {
		t.Errorf("%+v are left after a restart (%v)", tally, err)
	}
}
