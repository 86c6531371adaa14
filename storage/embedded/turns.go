package embedded

import (
	"context"
	"slices"
	"time"

	"zaqar/messaging"
)

// turns decides which posts go into the group being gathered, so that nobody
// waits for all that somebody else has to write. It is guarded by journal.mu.
//
// A group takes posts up to a budget of bytes. Beyond it a project still gets
// in with a little, at least one post; what is more waits for the next group,
// one line for each project, and the lines take turns. So a group holds the
// budget and a little for each further project at most.
//
// While one project posts alone the budget is large. While several do it is as
// small as commits are quick: what a disk of floorRate would write in the time
// that they take. So on a disk where each commit is dear it lets big ones be.
//
// A post that alone is more than the budget is huge. A group takes one of them,
// and then, if others post, the group behind it takes none: so who comes while
// a huge one is written has to wait for that and for a small group at most. It
// has its turn as soon as the writer would have nothing to do.
type turns struct {
	used  map[messaging.Project]int // bytes in the group
	total int
	huge  bool    // there is a huge post in the group
	rest  bool    // the group takes none
	lines []*line // those with somebody in them, the next to take a turn in front
	line  map[messaging.Project]*line

	last  messaging.Project // that posted
	mixed time.Time         // when another than last posted
	full  bool              // the group before could have been larger
	took  float64           // ns that commits of such groups take, on average
}

// line is where posts of a project wait, the first to come in front.
type line struct {
	project messaging.Project
	posts   []*turn
}

// turn is one post that waits.
type turn struct {
	size int
	come chan struct{} // closed when it may go on
}

const (
	aloneBudget = 1 << 20
	leastBudget = 32 << 10
	floorRate   = 64 << 20 // bytes a second
	// little is what a project gets in with when the budget is used up, if
	// that is more than one post.
	little = 8 << 10
	// company is for how long projects count as posting at the same time.
	company = 10 * time.Second
)

func newTurns() turns {
	return turns{used: make(map[messaging.Project]int), line: make(map[messaging.Project]*line)}
}

// admitPost returns when a post of about size bytes may be submitted, or
// refuses it. Who is admitted has to submit, unless that is refused: those
// behind wait until the group it goes into is taken. Callers hold no lock.
func (j *journal) admitPost(ctx context.Context, p messaging.Project, size int) error {
	if err := j.admit(true); err != nil {
		return err
	}
	j.mu.Lock()
	if j.refusal != nil {
		err := j.refusal
		j.mu.Unlock()
		return err
	}
	t := j.turns.enter(p, size, j.now())
	j.mu.Unlock()
	if t == nil {
		return nil
	}
	select {
	case <-t.come:
	case <-ctx.Done():
		j.mu.Lock()
		left := j.turns.leave(p, t)
		j.mu.Unlock()
		if left {
			return messaging.Wrap(messaging.Unavailable, "The request was cancelled.", ctx.Err())
		}
	}
	err := j.failed()
	if err == nil && j.full.Load() {
		err = errFull()
	}
	if err != nil {
		j.nudge() // the group may stay empty, and nobody else take it
	}
	return err
}

// enter lets a post in or gives it a turn to wait for.
func (ts *turns) enter(p messaging.Project, size int, now time.Time) *turn {
	if p != ts.last {
		if ts.last != "" {
			ts.mixed = now
		}
		ts.last = p
	}
	l := ts.line[p]
	if budget := ts.budget(now); l == nil && (ts.fits(size, budget) || ts.used[p]+size <= little || ts.used[p] == 0 && ts.bears(size, budget)) {
		ts.admit(p, size, budget)
		return nil
	}
	if l == nil {
		l = &line{project: p}
		ts.line[p] = l
		ts.lines = append(ts.lines, l)
	}
	t := &turn{size, make(chan struct{})}
	l.posts = append(l.posts, t)
	return t
}

// fits reports whether a post is within the budget.
func (ts *turns) fits(size, budget int) bool { return ts.total+size <= budget }

// bears reports whether the group can have a post beyond the budget.
func (ts *turns) bears(size, budget int) bool {
	return ts.total < gatherLimit && (size <= budget || !ts.huge && !ts.rest)
}

func (ts *turns) admit(p messaging.Project, size, budget int) {
	ts.used[p] += size
	ts.total += size
	ts.huge = ts.huge || size > budget
}

// begin empties the group.
func (ts *turns) begin(rest bool) {
	clear(ts.used)
	ts.total, ts.huge, ts.rest = 0, false, rest
}

// budget is how many bytes of posts a group takes.
func (ts *turns) budget(now time.Time) int {
	if now.Sub(ts.mixed) > company {
		return aloneBudget
	}
	return int(min(max(ts.took*floorRate/1e9, leastBudget), aloneBudget))
}

// leave takes a turn from its line; false if it has come.
func (ts *turns) leave(p messaging.Project, t *turn) bool {
	l := ts.line[p]
	if l == nil {
		return false
	}
	at := slices.Index(l.posts, t)
	if at < 0 {
		return false
	}
	l.posts = slices.Delete(l.posts, at, at+1)
	ts.sweep()
	return true
}

// next begins a group: each line has a turn, and more while the budget lasts.
func (ts *turns) next(now time.Time) {
	mixed := now.Sub(ts.mixed) <= company
	ts.begin(ts.huge && mixed)
	ts.full = len(ts.lines) > 0 && mixed
	if len(ts.lines) == 0 {
		return
	}
	front, budget := ts.lines[0], ts.budget(now)
	for first, more := true, true; more; first = false {
		more = false
		for _, l := range ts.lines {
			if len(l.posts) == 0 {
				continue
			}
			if size := l.posts[0].size; ts.fits(size, budget) || first && ts.bears(size, budget) {
				ts.admit(l.project, size, budget)
				close(l.posts[0].come)
				l.posts[0], l.posts = nil, l.posts[1:]
				more = true
			}
		}
	}
	if ts.used[front.project] > 0 { // else it is in front next time, too
		ts.lines = append(ts.lines[1:], front)
	}
	ts.sweep()
}

// resume lets huge posts in that wait for others to be served, when there are
// no others.
func (ts *turns) resume(now func() time.Time) {
	if ts.rest && ts.total == 0 {
		ts.next(now())
	}
}

// release ends all waiting, when what was let in will not be written.
func (ts *turns) release() {
	ts.begin(false)
	for _, l := range ts.lines {
		for _, t := range l.posts {
			close(t.come)
		}
		l.posts = nil
	}
	ts.sweep()
}

// sweep removes lines with nobody in them.
func (ts *turns) sweep() {
	kept := ts.lines[:0]
	for _, l := range ts.lines {
		if len(l.posts) > 0 {
			kept = append(kept, l)
		} else {
			delete(ts.line, l.project)
		}
	}
	clear(ts.lines[len(kept):])
	ts.lines = kept
}

// measure learns from what the commit of the group before took. What takes
// unusually long counts a little only.
func (ts *turns) measure(took time.Duration) {
	if !ts.full {
		return
	}
	if ts.took == 0 {
		ts.took = float64(took)
	}
	ts.took += (min(float64(took), 2*ts.took) - ts.took) / 16
}
