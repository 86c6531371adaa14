package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"zaqar/bench/rawhttp"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded"
)

// tenantQueue is the i-th of many queues, a thousand to a project, with names
// of usual length.
func tenantQueue(i int) messaging.QueueRef {
	return messaging.QueueRef{
		Project: messaging.Project(fmt.Sprintf("7f5c1f9c8a7e4f0b9d3e%012d", i/1000)),
		Name:    fmt.Sprintf("orders-incoming-%07d", i%1000),
	}
}

// many runs do for 0 to n-1, many at a time, so that they share commits.
func many(n int, do func(i int) error) error {
	var next atomic.Int64
	return each(min(n, 512), func(int) error {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			if err := do(i); err != nil {
				return err
			}
		}
		return nil
	})
}

// makeQueues creates n queues. Used ones have held a message.
func makeQueues(ctx context.Context, s *embedded.Store, n int, used bool) error {
	settings, err := messaging.DecodeMetadata([]byte(`{"_default_message_ttl":86400,"owner":"billing"}`))
	if err != nil {
		return err
	}
	return many(n, func(i int) error {
		ref := tenantQueue(i)
		if _, err := s.CreateQueue(ctx, ref, settings); err != nil {
			return err
		}
		if !used {
			return nil
		}
		return cycle(ctx, s, ref, 1)
	})
}

// cycle posts n messages to a queue, claims them and deletes them.
func cycle(ctx context.Context, s *embedded.Store, ref messaging.QueueRef, n int) error {
	drafts := make([]messaging.Draft, n)
	for i := range drafts {
		drafts[i] = messaging.Draft{TTL: 3600, Body: body}
	}
	if _, err := s.Append(ctx, ref, "6f6d6e69-2062-4e63-8001-000000000000", drafts, storage.AppendOptions{}); err != nil {
		return err
	}
	lease, err := s.Claim(ctx, ref, storage.Terms{TTL: 60, Limit: n})
	if err != nil {
		return err
	}
	if len(lease.Messages) == 0 {
		return errors.New("nothing to claim behind a post")
	}
	ids := make([]messaging.MessageID, len(lease.Messages))
	for i, m := range lease.Messages {
		ids[i] = m.ID
	}
	return s.Remove(ctx, ref, ids, storage.Hold{By: []messaging.ClaimID{lease.Claim.ID}})
}

// body is that of messages of stores in this process.
var body = posting(1, 1<<10)

// queues measures what many queues cost: memory, disk, and the time to open
// the store and to find something among them.
func queues(ctx context.Context, b *bench) error {
	b.settings["queues"] = b.queues
	for _, used := range []bool{false, true} {
		kind := "queues never used"
		if used {
			kind = "queues used once"
		}
		if !strings.Contains(kind, b.only) {
			continue
		}
		if err := b.queuesOf(ctx, kind, used); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) queuesOf(ctx context.Context, kind string, used bool) error {
	dir := filepath.Join(b.work, "queues"+strconv.FormatBool(used))
	env := storage.Env{Now: time.Now}
	s, err := embedded.Open(dir, embedded.Config{}, env)
	if err != nil {
		return err
	}
	before := weigh()
	begun := time.Now()
	if err := makeQueues(ctx, s, b.queues, used); err != nil {
		return errors.Join(err, s.Close())
	}
	b.tell(kind+": made", "1/s", float64(b.queues)/time.Since(begun).Seconds())
	each := weigh().less(before, b.queues)
	b.tell(kind+": live heap for each", "bytes", each.heap)
	b.profile("heap", filepath.Base(dir))
	if err := s.Close(); err != nil {
		return err
	}
	size, err := diskUse(dir)
	if err != nil {
		return err
	}
	b.tell(kind+": disk for each", "bytes", float64(size)/float64(b.queues))

	before = weigh()
	begun = time.Now()
	if s, err = embedded.Open(dir, embedded.Config{}, env); err != nil {
		return err
	}
	b.tell(kind+": to open the store", "ms", time.Since(begun).Seconds()*1e3)
	each = weigh().less(before, b.queues)
	b.tell(kind+": live heap for each, opened", "bytes", each.heap)
	if err := s.Close(); err != nil {
		return err
	}
	return b.queuesServed(ctx, kind, dir)
}

// diskUse is what a directory takes on disk, in bytes.
func diskUse(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			total += st.Blocks * 512
		}
		return nil
	})
	return total, err
}

// queuesServed starts the real program on the store and asks it.
func (b *bench) queuesServed(ctx context.Context, kind, dir string) error {
	s, err := b.start(ctx, dir)
	if err != nil {
		return err
	}
	b.tell(kind+": start of the server to its first answer", "ms", s.Took.Seconds()*1e3)
	b.tell(kind+": memory of the server for each", "bytes", float64(s.Usage().Resident)/float64(b.queues))
	project := string(tenantQueue(0).Project)
	who := caller(s.Addr, project, 0)
	err = session(s.Addr, func(c *rawhttp.Conn) error {
		pages, listed, path := 0, 0, "/v2/queues?limit=20&detailed=true"
		begun := time.Now()
		for path != "" {
			r, err := ask(c, who.request("GET", path, nil), http.StatusOK)
			if err != nil {
				return err
			}
			n, next, err := queuePage(r.Body)
			if err != nil {
				return err
			}
			pages++
			if listed += n; n == 0 {
				break
			}
			path = next
		}
		b.tell(kind+": a page of 20 of them", "µs", time.Since(begun).Seconds()*1e6/float64(pages))
		if want := min(b.queues, 1000); listed != want {
			return fmt.Errorf("%d queues of a project listed, want %d", listed, want)
		}
		begun = time.Now()
		for i := range 1000 {
			path := "/v2/queues/" + tenantQueue(i%min(b.queues, 1000)).Name + "/stats"
			if _, err := ask(c, who.request("GET", path, nil), http.StatusOK); err != nil {
				return err
			}
		}
		b.tell(kind+": statistics of one", "µs", time.Since(begun).Seconds()*1e6/1000)
		return nil
	})
	return errors.Join(err, b.stop(s))
}
