package workers

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/bench/load"
)

// perPage is how many messages a page of the final list has: the most that
// Zaqar allows unless it is configured otherwise.
const perPage = 20

// checkers is how many queues are listed at once.
const checkers = 8

// progressCount counts what was checked.
type progressCount struct {
	checking atomic.Bool
	n        atomic.Int64
}

func (p *progressCount) get() (bool, int64) { return p.checking.Load(), p.n.Load() }

// pagesOfForeign is how many pages the list of a queue may have that held
// messages before: 20 million messages, which the account has memory for.
const pagesOfForeign = 1 << 20

// pageLimit is how many pages the list of a queue may have. A page has one
// message at least, and some leeway is left for a server that stores what it
// refuses, of which the account tells more.
func (r *run) pageLimit() int {
	if r.o.SkipReset {
		return pagesOfForeign
	}
	posts := r.counters.ok[opPost].Load() + r.counters.failed[opPost].Load() + int64(len(r.groups[producers]))
	return 1000 + int(posts)*r.o.Batch
}

// audit lists all queues and compares them with what was done, within
// CheckTime.
func (r *run) audit(ctx context.Context) (*load.Account, error) {
	r.checked.checking.Store(true)
	pages := make([]*load.Log, len(r.queues)) // of each queue
	ctx, end := context.WithTimeoutCause(ctx, r.o.CheckTime,
		fmt.Errorf("%w: the queues could not be listed within %s", errUnchecked, r.o.CheckTime))
	defer end()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var listing sync.WaitGroup
	var next atomic.Int64
	for range min(checkers, len(r.queues)) {
		listing.Go(func() {
			c := newClient(r.target, r.o.Auth)
			defer c.close()
			for q := int(next.Add(1) - 1); q < len(r.queues) && ctx.Err() == nil; q = int(next.Add(1) - 1) {
				log, err := r.listAll(ctx, c, q)
				if err != nil {
					cancel(fmt.Errorf("%w: queue %s: %w", errUnchecked, r.queues[q], err))
					return
				}
				pages[q] = log
			}
		})
	}
	listing.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	left := r.ledger.Apart()
	for _, log := range pages {
		left.Append(log)
	}
	left.At(time.Now())
	account, _ := r.ledger.Audit(left, r.pace.begin, r.pace.end) // the findings are in the account
	return account, nil
}

// listAll lists a queue to its end, claimed messages included.
//
// The Python server on Redis cannot include them without a marker. There the
// list is of the others, and begins anew instead of coming to its end.
func (r *run) listAll(ctx context.Context, c *client, q int) (*load.Log, error) {
	log, read := r.ledger.Apart(), newReader()
	page := &request{method: "GET", path: fmt.Sprintf("/v2/queues/%s/messages?limit=%d&echo=true"+claimedToo, r.queues[q], perPage)}
	var first []byte // message, where the list may begin anew
	limit := r.pageLimit()
	for pages := 0; ctx.Err() == nil; pages++ {
		if pages > limit {
			return nil, fmt.Errorf("its list has no end: it was given up after %d pages", limit)
		}
		a, err := c.do(ctx, page)
		if err != nil {
			return nil, err
		}
		if path, found := strings.CutSuffix(page.path, claimedToo); found && a.Status == http.StatusServiceUnavailable {
			page.path, first = path, []byte{}
			continue
		}
		if len(first) > 0 && read.page(r.queues[q], a.Body) == nil && len(read.messages) > 0 && bytes.Equal(read.messages[0].id, first) {
			return log, nil
		}
		n, err := enterPage(read, log, &r.o.Messages, r.queues[q], q, perPage, page, a)
		if err != nil {
			return nil, err
		}
		r.checked.n.Add(int64(n))
		if n == 0 {
			return log, nil
		}
		if first != nil && len(first) == 0 {
			first = bytes.Clone(read.messages[0].id)
		}
		page.path = string(read.next)
	}
	return nil, context.Cause(ctx)
}

const claimedToo = "&include_claimed=true"
