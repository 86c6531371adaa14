package broker

import (
	"context"

	"zaqar/messaging"
)

// Lobbies returns for how many queues somebody waits.
func (b *Broker) Lobbies() int {
	b.waiters.mu.Lock()
	defer b.waiters.mu.Unlock()
	return len(b.waiters.lobbies)
}

// Seated returns how many requests wait.
func (b *Broker) Seated() int { return int(b.waiters.seated.Load()) }

// Patch is patch.
var Patch = patch

// PostMessages stores a post whose size is known to be allowed.
func (b *Broker) PostMessages(ctx context.Context, who messaging.Caller, q messaging.QueueRef, posts []Post) ([]messaging.MessageID, error) {
	p, err := b.BeginPost(ctx, who, q)
	if err != nil {
		return nil, err
	}
	return p.Store(ctx, posts)
}
