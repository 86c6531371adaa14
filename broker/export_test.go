package broker

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
