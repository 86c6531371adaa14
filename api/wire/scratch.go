package wire

import (
	"sync"

	"zaqar/broker"
)

// Scratch is memory to read one request and to write one answer with. What
// Reader cuts out of In aliases it: a Scratch goes back to its Pool only when
// nothing that came out of it is in use any more.
type Scratch struct {
	In     []byte
	Out    []byte
	Bodies broker.Arena
	Reader
}

// keep is the largest buffer a Pool keeps; larger ones are left to the
// garbage collector, so that one huge request does not stay for ever.
const keep = 64 << 10

// keptPosts is how many posts a pooled Reader keeps room for.
const keptPosts = 256

// Pool recycles Scratches. The zero value is ready; safe for concurrent use.
type Pool struct{ free sync.Pool }

// Get returns an empty Scratch that belongs to the caller.
func (p *Pool) Get() *Scratch {
	if s, ok := p.free.Get().(*Scratch); ok {
		return s
	}
	return new(Scratch)
}

// Put takes a Scratch back. The caller must not use it afterwards.
func (p *Pool) Put(s *Scratch) {
	s.Reader.close()
	s.In, s.Out = recycled(s.In), recycled(s.Out)
	s.Bodies.Reset(keep)
	p.free.Put(s)
}

func recycled(b []byte) []byte {
	if cap(b) > keep {
		return nil
	}
	return b[:0]
}
