package embedded

import (
	"fmt"
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// A client's own messages are left out by their heads: what their bodies take is
// not read.
func TestHidingReadsHeads(t *testing.T) {
	const large, n = 256 << 10, 40
	bob := messaging.ClientID("bob")
	for _, alice := range clients {
		for _, delay := range []int64{0, 60} {
			t.Run(fmt.Sprintf("%s delay %d", alice, delay), func(t *testing.T) {
				w := ready(t)
				own := make([]messaging.Draft, n)
				for i := range own {
					own[i] = messaging.Draft{TTL: forever, Delay: delay, Body: make([]byte, large)}
				}
				for range 2 {
					_, err := w.store.Append(t.Context(), boxes[0], alice, own, storage.AppendOptions{})
					must(t, err)
				}
				hidden := func() []messaging.Message {
					t.Helper()
					before := w.disk.Stats().BytesRead
					got, err := w.store.Scan(t.Context(), boxes[0], storage.Scan{Limit: 10, Hide: alice, Delayed: true})
					must(t, err)
					if read := w.disk.Stats().BytesRead - before; read > 2*n*headSpan+4*large {
						t.Errorf("%d bytes were read, of %d that the messages take", read, 2*n*large)
					}
					return got
				}
				if got := hidden(); len(got) != 0 {
					t.Errorf("%d of one's own are shown", len(got))
				}
				put, err := w.store.Append(t.Context(), boxes[0], bob, []messaging.Draft{{TTL: forever, Body: []byte("1")}, {TTL: forever, Body: []byte("2")}}, storage.AppendOptions{})
				ids := put.IDs
				must(t, err)
				if got := hidden(); len(got) != 2 || got[0].ID != ids[0] || got[1].ID != ids[1] || string(got[1].Body) != "2" {
					t.Errorf("of another's are shown %v", got)
				}

				// Two clients may have the same hash.
				q := w.store.lookup(boxes[0])
				packed, _ := packClient(alice)
				id, _ := w.store.number(string(ids[0]))
				c, i, _ := q.lookup(id)
				c.entries[i].poster = w.store.posterHash(packed)
				if got := hidden(); len(got) != 2 || got[0].ID != ids[0] || string(got[0].Body) != "1" {
					t.Errorf("with the same hash, of another's are shown %v", got)
				}
			})
		}
	}
}

// Short messages share what is read for their heads.
func TestHidingReadsShortMessagesTogether(t *testing.T) {
	w := ready(t)
	drafts := make([]messaging.Draft, 1000)
	for i := range drafts {
		drafts[i] = messaging.Draft{TTL: forever, Body: make([]byte, 100)}
	}
	_, err := w.store.Append(t.Context(), boxes[0], clients[0], drafts, storage.AppendOptions{})
	must(t, err)
	before := w.disk.Stats()
	got, err := w.store.Scan(t.Context(), boxes[0], storage.Scan{Limit: 10, Hide: clients[0]})
	must(t, err)
	after := w.disk.Stats()
	if reads := after.Count(faultdisk.Read) - before.Count(faultdisk.Read); len(got) > 0 || reads > 1000/16 {
		t.Errorf("%d messages, with %d reads", len(got), reads)
	}
}
