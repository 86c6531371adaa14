package keystone

import (
	"crypto/sha256"
	"sync"
	"time"
)

// key stands for a token.
type key struct {
	hash [sha256.Size]byte
	late bool // the question is whether it was valid lately
}

// newKey hashes a token.
func newKey(token string, late bool) key {
	var room [512]byte // on the stack: most tokens are shorter
	return key{sha256.Sum256(append(room[:0], token...)), late}
}

const shards = 32 // a power of two

// cache holds a bounded number of entries.
type cache struct {
	most   int // entries of a shard
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	entries map[key]*entry
	hits    uint64
	_       [40]byte // shards do not share cache lines
}

func newCache(entries int64) *cache {
	c := &cache{most: max(1, int(entries+shards-1)/shards)}
	for i := range c.shards {
		c.shards[i].entries = map[key]*entry{}
	}
	return c
}

func (c *cache) shard(k *key) *shard { return &c.shards[k.hash[0]%shards] }

// get returns the entry of a token that is still believed, or nil.
func (c *cache) get(k *key, now time.Time) *entry {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[*k]
	if e == nil {
		return nil
	}
	if !now.Before(e.until) {
		delete(s.entries, *k)
		return nil
	}
	s.hits++
	return e
}

// looked is how many entries a put looks at, to remove old ones.
const looked = 8

// put adds an entry. In a full shard it takes the place of one that would
// end soon.
func (c *cache) put(k *key, e *entry, now time.Time) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.entries[*k]; !known {
		s.tidy(c.most, now)
	}
	s.entries[*k] = e
}

// tidy looks at a few entries, which the map chooses at random. What has
// ended is removed, and if there is no room even so, what ends first.
func (s *shard) tidy(most int, now time.Time) {
	var first *key
	var soonest time.Time
	n := 0
	for k, e := range s.entries {
		if !now.Before(e.until) {
			delete(s.entries, k)
		} else if first == nil || e.until.Before(soonest) {
			first, soonest = &k, e.until
		}
		if n++; n == looked {
			break
		}
	}
	if len(s.entries) >= most && first != nil {
		delete(s.entries, *first)
	}
}

// count returns the number of entries and of hits.
func (c *cache) count() (entries int, hits uint64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		entries += len(s.entries)
		hits += s.hits
		s.mu.Unlock()
	}
	return entries, hits
}
