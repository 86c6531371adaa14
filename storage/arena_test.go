package storage_test

import (
	"bytes"
	"runtime"
	"testing"

	"zaqar/storage"
)

func TestArena(t *testing.T) {
	var a storage.Arena
	for _, arena := range []*storage.Arena{nil, &a} {
		var all [][]byte
		for n := range 200 {
			b := arena.Take(n * 100)
			for i := range b {
				b[i] = byte(n)
			}
			all = append(all, b)
			if cap(b) != len(b) {
				t.Fatalf("%d bytes can be extended over their neighbours", n)
			}
		}
		for n, b := range all {
			if !bytes.Equal(b, bytes.Repeat([]byte{byte(n)}, n*100)) {
				t.Errorf("the %d bytes taken %dth were changed later", len(b), n)
			}
		}
	}
}

func TestArenaIsUsedAgain(t *testing.T) {
	var a storage.Arena
	first := a.Take(1000)
	a.Reset(64 << 10)
	if again := a.Take(500); &again[0] != &first[0] {
		t.Error("memory is not used again")
	}
	large := a.Take(100_000)
	a.Reset(64 << 10)
	if small := a.Take(1); &small[0] == &large[0] {
		t.Error("more is kept than was allowed")
	}
}

// What was taken and let go of by the caller is not kept: a store may read a
// great deal for an answer of which little remains.
func TestArenaKeepsLittle(t *testing.T) {
	var a storage.Arena
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for range 1000 {
		a.Take(64 << 10)
	}
	if grown := heap() - before; grown > 8<<20 {
		t.Errorf("%d bytes are kept of 64 MB that nobody has any more", grown)
	}
	a.Take(1)
}
