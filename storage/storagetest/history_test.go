package storagetest

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"zaqar/storage"
	"zaqar/storage/memory"
	"zaqar/storage/storagetest/history"
)

// liar is a store that breaks a promise now and then, on purpose.
type liar struct {
	historyTarget

	mu    sync.Mutex
	rng   *rand.Rand
	seen  map[string][]history.Message // by queue, what claims and pops took
	count int
}

// now says whether this call is to lie.
func (l *liar) now() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rng.IntN(15) > 0 {
		return false
	}
	l.count++
	return true
}

// doubleClaim hands out again what somebody else claimed.
type doubleClaim struct{ *liar }

func (l doubleClaim) Claim(ctx context.Context, queue string, ttl time.Duration, limit int) (string, []history.Message, error) {
	lie := limit > 1 && l.now()
	if lie {
		limit--
	}
	id, got, err := l.historyTarget.Claim(ctx, queue, ttl, limit)
	l.mu.Lock()
	defer l.mu.Unlock()
	if last := l.seen[queue]; lie && id != "" && len(last) > 0 {
		got = append(got, last[len(last)-1])
	}
	l.seen[queue] = append(l.seen[queue], got...)
	return id, got, err
}

// lost acknowledges posts and forgets one of their messages.
type lost struct{ *liar }

func (l lost) Post(ctx context.Context, queue string, bodies []string) ([]string, error) {
	ids, err := l.historyTarget.Post(ctx, queue, bodies)
	if err == nil && l.now() {
		_, err = l.historyTarget.Remove(ctx, queue, ids[0], "")
	}
	return ids, err
}

// returned acknowledges deletes and does nothing.
type returned struct{ *liar }

func (l returned) Remove(ctx context.Context, queue, id, claim string) (bool, error) {
	if claim != "" && l.now() {
		_, live, err := l.Held(ctx, queue, claim)
		return live, err
	}
	return l.historyTarget.Remove(ctx, queue, id, claim)
}

// disorder hands out messages the wrong way round.
type disorder struct{ *liar }

func (l disorder) Claim(ctx context.Context, queue string, ttl time.Duration, limit int) (string, []history.Message, error) {
	id, got, err := l.historyTarget.Claim(ctx, queue, ttl, limit)
	if len(got) > 1 && l.now() {
		got[0], got[len(got)-1] = got[len(got)-1], got[0]
	}
	return id, got, err
}

// deaf acknowledges renewals and does nothing.
type deaf struct{ *liar }

func (l deaf) Renew(ctx context.Context, queue, claim string, ttl time.Duration) (bool, error) {
	if l.now() {
		_, live, err := l.Held(ctx, queue, claim)
		return live, err
	}
	return l.historyTarget.Renew(ctx, queue, claim, ttl)
}

// rushed lets claims expire too early.
type rushed struct{ *liar }

func (l rushed) Claim(ctx context.Context, queue string, ttl time.Duration, limit int) (string, []history.Message, error) {
	if l.now() {
		ttl = (ttl + time.Second) / 2
	}
	return l.historyTarget.Claim(ctx, queue, ttl, limit)
}

// careless lets anybody delete.
type careless struct{ *liar }

func (l careless) Remove(ctx context.Context, queue, id, claim string) (bool, error) {
	if l.now() {
		err := l.s.Remove(ctx, historyQueue(queue), one(id), storage.Hold{})
		return err == nil, err
	}
	return l.historyTarget.Remove(ctx, queue, id, claim)
}

// A store that breaks a promise under load is found out. The lies are rare, and
// not each of them shows, but a run has dozens.
func TestHistoryFindsLiars(t *testing.T) {
	for name, wrap := range map[string]func(*liar) history.Target{
		"double claim": func(l *liar) history.Target { return doubleClaim{l} },
		"lost":         func(l *liar) history.Target { return lost{l} },
		"returned":     func(l *liar) history.Target { return returned{l} },
		"disorder":     func(l *liar) history.Target { return disorder{l} },
		"deaf":         func(l *liar) history.Target { return deaf{l} },
		"rushed":       func(l *liar) history.Target { return rushed{l} },
		"careless":     func(l *liar) history.Target { return careless{l} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lies := 0
			for seed := range uint64(10) {
				count, found := lieTo(t, wrap, seed)
				lies += count
				if len(found) > 0 {
					t.Logf("%d of %d lies were found at once", len(found), lies)
					return
				}
			}
			t.Errorf("none of %d lies was found", lies)
		})
	}
}

// lieTo runs a liar once.
func lieTo(t *testing.T, wrap func(*liar) history.Target, seed uint64) (lies int, found []history.Violation) {
	t.Helper()
	clock := NewClock()
	s := memory.New(storage.Env{Now: clock.Now, Log: slog.New(slog.DiscardHandler)})
	defer s.Close()
	l := &liar{historyTarget: historyTarget{s}, rng: rand.New(rand.NewPCG(seed, 2)), seen: map[string][]history.Message{}}
	o := history.Small(seed + 1)
	o.Now, o.Pass = clock.Now, clock.Advance
	told, err := history.Run(t.Context(), wrap(l), o)
	if err != nil {
		t.Fatal(err)
	}
	return l.count, told.Check()
}

// A store that forgets everything when it restarts is found out, too.
func TestHistoryFindsAmnesia(t *testing.T) {
	clock := NewClock()
	env := storage.Env{Now: clock.Now, Log: slog.New(slog.DiscardHandler)}
	o := history.Small(1)
	o.Now, o.Pass = clock.Now, clock.Advance
	o.Restart = func() (history.Target, error) { return historyTarget{memory.New(env)}, nil }
	told, err := history.Run(t.Context(), historyTarget{memory.New(env)}, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(told.Check()) == 0 {
		t.Error("nothing was found")
	}
}
