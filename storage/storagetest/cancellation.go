package storagetest

import (
	"context"
	"errors"
	"strconv"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

func cancellationPromises() []promise {
	return []promise{
		{"S141 messages are listed in posting order, failures in between or not", orderAcrossFailures},
		{"S143 a batch that is cut off is stored as a whole or not at all", cancelledBatch},
		{"a cancelled claim takes all it would or nothing", cancelledClaim},
		{"a cancelled pop takes all it would or nothing", cancelledPop},
		{"a cancelled move leaves each message in exactly one queue", cancelledMove},
		{"a cancelled call succeeds or says why not", cancelledCalls},
	}
}

// cancelled returns a context that is over already.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// excused tells whether an error is what a call with a cancelled context may
// return.
func excused(err error) bool {
	return err == nil || errors.Is(err, context.Canceled) || errors.Is(err, messaging.Unavailable)
}

// cutOff calls do with contexts that are cancelled before, or at some time
// during the call.
func (s *subject) cutOff(rounds int, do func(ctx context.Context) error) {
	s.Helper()
	if err := do(cancelled()); !excused(err) {
		s.Fatalf("with a cancelled context: %v", err)
	}
	for i := range rounds {
		ctx, cancel := context.WithCancel(s.ctx())
		time.AfterFunc(time.Duration(i)*50*time.Microsecond, cancel)
		if err := do(ctx); !excused(err) {
			s.Fatalf("cancelled during the call: %v", err)
		}
		cancel()
	}
}

func orderAcrossFailures(s *subject) {
	var want []string
	for i := range 30 {
		body := strconv.Itoa(i)
		ctx := s.ctx()
		if i%3 == 1 {
			ctx = cancelled()
		}
		_, err := s.Append(ctx, inbox, alice, []messaging.Draft{draft(600, 0, body)}, storage.AppendOptions{})
		if !excused(err) || err != nil && ctx == s.ctx() {
			s.Fatalf("post %d: %v", i, err)
		}
		stored := s.scan(inbox, storage.Scan{Limit: 100})
		if n := len(stored); err == nil || n > len(want) {
			want = append(want, body)
		}
		s.same("listed", bodies(stored), want)
	}
}

func cancelledBatch(s *subject) {
	const size = 20
	var batch []messaging.Draft
	for i := range size {
		batch = append(batch, draft(600, 0, strconv.Itoa(i)))
	}
	s.cutOff(30, func(ctx context.Context) error {
		before := s.tally(inbox).Total
		put, err := s.Append(ctx, inbox, alice, batch, storage.AppendOptions{})
		got := put.IDs
		n := s.tally(inbox).Total - before
		if n != 0 && n != size || err == nil && (n != size || len(got) != size) {
			s.Fatalf("%d of %d stored, %d ids, error %v", n, size, len(got), err)
		}
		return err
	})
	list := s.all(inbox)
	for i, m := range list {
		if string(m.Body) != strconv.Itoa(i%size) {
			s.Fatalf("%s in the place of %d", m.Body, i%size)
		}
	}
	s.restartIfItCan()
	s.same("after the restart", s.all(inbox), list)
}

func cancelledClaim(s *subject) {
	s.post(inbox, 20)
	s.cutOff(20, func(ctx context.Context) error {
		lease, err := s.Claim(ctx, inbox, storage.Terms{TTL: 60, Limit: 5})
		n := s.tally(inbox).Claimed
		if n != 0 && n != 5 || err == nil && len(lease.Messages) != n {
			s.Fatalf("%d messages are claimed, %d returned, error %v", n, len(lease.Messages), err)
		}
		s.pass(60)
		return err
	})
}

func cancelledPop(s *subject) {
	s.post(inbox, 200)
	s.cutOff(20, func(ctx context.Context) error {
		before := s.tally(inbox).Total
		list, err := s.Pop(ctx, inbox, storage.Take{Limit: 5})
		n := before - s.tally(inbox).Total
		if n != 0 && n != 5 || err == nil && len(list) != n {
			s.Fatalf("%d messages are gone, %d returned, error %v", n, len(list), err)
		}
		return err
	})
}

func cancelledMove(s *subject) {
	posted := s.post(inbox, 6)
	from, to := inbox, outbox
	s.cutOff(20, func(ctx context.Context) error {
		lease := s.take(from, 6)
		n, err := s.Move(ctx, from, posted, lease.Claim.ID, to, 0)
		left, moved := s.tally(from).Total, s.tally(to).Total
		if left+moved != 6 || left != 0 && left != 6 || err == nil && (n != 6 || moved != 6) {
			s.Fatalf("%d moved; %d left and %d in the target, error %v", n, left, moved, err)
		}
		if moved == 6 {
			from, to = to, from
		} else {
			s.release(from, lease.Claim.ID, 6)
		}
		return err
	})
	s.same("messages", ids(s.all(from)), posted)
}

func cancelledCalls(s *subject) {
	s.create(outbox, `{}`)
	for name, err := range calls(cancelled(), s.Store) {
		if !excused(err) && !errors.Is(err, messaging.NotFound) {
			s.Errorf("%s with a cancelled context: %v", name, err)
		}
	}
	s.post(inbox, 1)
	s.metadataIs(outbox, `{}`)
}
