package trust

import (
	"context"
	"sync"
	"time"

	"zaqar/messaging"
)

// tokens keeps the tokens of trusts.
type tokens struct {
	ask func(ctx context.Context, id string) (messaging.Secret, time.Duration, error)
	now func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
}

// entry is what is known of a trust. Who has its turn may ask.
type entry struct {
	turn chan struct{}

	mu    sync.Mutex
	token messaging.Secret
	until time.Time // for so long the token can be used, or the failure counts
	err   error
}

const (
	mostTokens = 10_000
	// pause is how long a trust that gave no token is not asked about.
	pause = 5 * time.Second
)

func newTokens(ask func(context.Context, string) (messaging.Secret, time.Duration, error), now func() time.Time) *tokens {
	return &tokens{ask: ask, now: now, entries: map[string]*entry{}}
}

// get returns a token for a trust, and whether it was got just now.
func (t *tokens) get(ctx context.Context, id string) (token messaging.Secret, fresh bool, err error) {
	e := t.entry(id)
	if token, known, err := e.known(t.now()); known {
		return token, false, err
	}
	select {
	case e.turn <- struct{}{}:
		defer func() { <-e.turn }()
	case <-ctx.Done():
		return "", false, context.Cause(ctx)
	}
	if token, known, err := e.known(t.now()); known {
		return token, false, err
	}
	token, lasts, err := t.ask(ctx, id)
	if err != nil && ctx.Err() != nil {
		return "", false, err // says nothing about the trust
	}
	if err != nil {
		lasts = pause
	}
	e.mu.Lock()
	e.token, e.err, e.until = token, err, t.now().Add(lasts)
	e.mu.Unlock()
	return token, true, err
}

// known returns what is known, if anything is.
func (e *entry) known(now time.Time) (token messaging.Secret, known bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.token, now.Before(e.until), e.err
}

// entry finds the entry of a trust, or makes one.
func (t *tokens) entry(id string) *entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.entries[id]
	if e == nil {
		if len(t.entries) >= mostTokens {
			t.tidy()
		}
		e = &entry{turn: make(chan struct{}, 1)}
		t.entries[id] = e
	}
	return e
}

// tidy makes room: what has ended goes, and if nothing has, anything. The
// caller holds t.mu.
func (t *tokens) tidy() {
	now := t.now()
	for id, e := range t.entries {
		if _, known, _ := e.known(now); !known {
			delete(t.entries, id)
		}
	}
	for id := range t.entries {
		if len(t.entries) < mostTokens {
			return
		}
		delete(t.entries, id)
	}
}

// drop forgets a token, unless there is another one by now.
func (t *tokens) drop(id string, token messaging.Secret) {
	e := t.entry(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.token == token {
		e.token, e.until = "", time.Time{}
	}
}

// forget drops whatever is known of a trust.
func (t *tokens) forget(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.entries, id)
}
