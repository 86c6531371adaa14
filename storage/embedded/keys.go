package embedded

import "sync"

// keyTable numbers the ids of encryption keys, so that an entry can say in one
// byte what seals its message.
type keyTable struct {
	mu      sync.RWMutex
	numbers map[string]uint8
}

// otherKey stands for every key behind the 254th, which nobody is taken to
// open without looking.
const otherKey = 255

// number returns the number of the key; 0 for the empty id.
func (t *keyTable) number(id string) uint8 {
	if id == "" {
		return 0
	}
	t.mu.RLock()
	n, ok := t.numbers[id]
	t.mu.RUnlock()
	if ok {
		return n
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.numbers[id]; ok {
		return n
	}
	if t.numbers == nil {
		t.numbers = make(map[string]uint8)
	}
	if len(t.numbers) >= otherKey-1 {
		return otherKey
	}
	n = uint8(len(t.numbers) + 1)
	t.numbers[id] = n
	return n
}

// set returns which numbers stand for the keys given, or for no key.
func (t *keyTable) set(ids []string) (opens [256]bool) {
	opens[0] = true
	for _, id := range ids {
		if n := t.number(id); n != otherKey {
			opens[n] = true
		}
	}
	return opens
}
