package storagetest

import (
	"strings"
	"testing"

	"zaqar/storage"
	"zaqar/storage/memory"
)

// onMemory runs on the reference model.
var onMemory = Harness{
	Open: func(_ testing.TB, env storage.Env) Store { return memory.New(env) },
}

func TestMemory(t *testing.T) { Run(t, onMemory) }

// immortal is a store whose data outlives Close, because Close does nothing.
type immortal struct{ *memory.Store }

func (immortal) Close() error { return nil }

var onImmortal = Harness{
	Open:   func(_ testing.TB, env storage.Env) Store { return immortal{memory.New(env)} },
	Reopen: func(_ testing.TB, _ storage.Env, old Store) Store { return old },
}

// TestRestarts checks the checks that need a restart: they pass when a restart
// loses nothing.
func TestRestarts(t *testing.T) {
	for _, g := range groups() {
		for _, p := range g.promises {
			if strings.Contains(p.name, "closed") || strings.Contains(p.name, "ping") {
				continue // Close does nothing
			}
			t.Run(p.name, func(t *testing.T) { p.check(start(t, onImmortal)) })
		}
	}
}

func TestModelOfMemory(t *testing.T)   { Model(t, onMemory) }
func TestModelOfImmortal(t *testing.T) { Model(t, onImmortal) }
func TestHistoryOfMemory(t *testing.T) { History(t, onMemory) }

func BenchmarkMemory(b *testing.B) { Benchmark(b, onMemory) }
