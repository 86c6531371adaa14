package broker

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

// Counts is what a Broker has done since it was made.
type Counts struct {
	Posted      int64 // messages stored
	PostedBytes int64 // of their bodies
	Claimed     int64 // messages handed out by claims, each time
	Popped      int64 // messages handed out by pops
	Deleted     int64 // ids in successful deletes, whether or not the messages existed
	Buried      int64 // messages moved to dead-letter queues
}

// counters are Counts that grow.
type counters struct{ posted, postedBytes, claimed, popped, deleted, buried atomic.Int64 }

// Counts returns what was done so far.
func (b *Broker) Counts() Counts {
	c := &b.counters
	return Counts{
		Posted: c.posted.Load(), PostedBytes: c.postedBytes.Load(), Claimed: c.claimed.Load(),
		Popped: c.popped.Load(), Deleted: c.deleted.Load(), Buried: c.buried.Load(),
	}
}

// countPosts counts what was stored.
func (c *counters) countPosts(drafts []messaging.Draft) {
	size := 0
	for i := range drafts {
		size += len(drafts[i].Body)
	}
	c.posted.Add(int64(len(drafts)))
	c.postedBytes.Add(int64(size))
}

// Depth is how full a queue is, or all queues of a project together.
type Depth struct {
	Queue   messaging.QueueRef // of a project: no name
	Total   int                // unexpired messages
	Claimed int                // those of them under a live claim
	Oldest  time.Time          // when the oldest was posted; zero if not known
	// Graves says that the queue has a dead-letter queue, Dead how many
	// messages are in that one.
	Graves bool
	Dead   int
}

// Backlog is how full the store is.
type Backlog struct {
	Total, Claimed int
	Depths         []Depth // the largest first
	Left           int     // queues or projects that are not among them
}

// Detail says what a Backlog tells apart.
type Detail int

// The details.
const (
	NoDetail  Detail = iota // sums only
	ByProject               // each project, without Oldest and Dead
	ByQueue                 // each queue and topic
)

// Backlog looks at all queues of all projects, for operators: nobody is asked
// whether they may. Depths has the largest ones, most of them at most. A store
// that cannot tell its queues apart with little work gives sums only.
func (b *Broker) Backlog(ctx context.Context, d Detail, most int) (Backlog, error) {
	surveyor, ok := b.data.(storage.Surveyor)
	if d == NoDetail || !ok {
		total, claimed, err := b.data.Volume(ctx)
		return Backlog{Total: total, Claimed: claimed}, fault(err)
	}
	found := Backlog{}
	largest := selection{most: most}
	projects := map[messaging.Project]Depth{}
	err := surveyor.Survey(ctx, func(q messaging.QueueRef, total, claimed int) {
		found.Total, found.Claimed = found.Total+total, found.Claimed+claimed
		if d == ByQueue {
			largest.add(Depth{Queue: q, Total: total, Claimed: claimed})
			return
		}
		p := projects[q.Project]
		projects[q.Project] = Depth{messaging.QueueRef{Project: q.Project}, p.Total + total, p.Claimed + claimed, time.Time{}, false, 0}
	})
	if err != nil {
		return Backlog{}, fault(err)
	}
	for _, p := range projects {
		largest.add(p)
	}
	found.Depths, found.Left = largest.result()
	if d == ByQueue {
		err = b.details(ctx, found.Depths)
	}
	return found, err
}

// details fills in what takes a look at each queue.
func (b *Broker) details(ctx context.Context, depths []Depth) error {
	for i := range depths {
		d := &depths[i]
		t, err := b.data.Tally(ctx, d.Queue)
		if err != nil {
			return fault(err)
		}
		d.Total, d.Claimed = t.Total, t.Claimed
		if t.Oldest != nil {
			d.Oldest = t.Oldest.Posted
		}
		r, err := b.record(ctx, d.Queue)
		if err != nil {
			return err
		}
		grave := graveOf(d.Queue, r).queue
		if d.Graves = grave.Name != ""; !d.Graves {
			continue
		}
		if t, err = b.data.Tally(ctx, grave); err != nil {
			return fault(err)
		}
		d.Dead = t.Total
	}
	return nil
}

// selection keeps the largest of many depths in little memory.
type selection struct {
	most int
	kept []Depth
	seen int
}

func (s *selection) add(d Depth) {
	s.seen++
	if s.kept = append(s.kept, d); len(s.kept) >= 2*max(s.most, 64) {
		s.cut()
	}
}

// cut drops all but the largest. Equal ones are ordered by name, so that the
// same stay.
func (s *selection) cut() {
	slices.SortFunc(s.kept, func(x, y Depth) int {
		return cmp.Or(cmp.Compare(y.Total, x.Total),
			strings.Compare(string(x.Queue.Project), string(y.Queue.Project)), strings.Compare(x.Queue.Name, y.Queue.Name))
	})
	s.kept = s.kept[:min(len(s.kept), max(s.most, 0))]
}

func (s *selection) result() (largest []Depth, left int) {
	s.cut()
	return s.kept, s.seen - len(s.kept)
}
