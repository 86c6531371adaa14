package app

import (
	"fmt"
	"path/filepath"

	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/memory"
)

// fullStore is a store of both planes.
type fullStore = storage.Store

// driver is a kind of store.
type driver struct {
	name string
	open func(s Store, env storage.Env) (fullStore, error)
}

// drivers is the table of the stores that are built in, the default one first.
func drivers() []driver {
	return []driver{
		{"embedded", func(s Store, env storage.Env) (fullStore, error) {
			return embedded.Open(s.Dir, embedded.Config{}, env)
		}},
		{"memory", func(_ Store, env storage.Env) (fullStore, error) {
			env.Log.Warn("messages and queues are kept in memory only and are lost at exit")
			return memory.New(env), nil
		}},
	}
}

// Drivers lists the names of the stores that are built in, the default first.
func Drivers() []string {
	var names []string
	for _, d := range drivers() {
		names = append(names, d.name)
	}
	return names
}

func openStore(s Store, others []Driver, env storage.Env) (fullStore, error) {
	for _, d := range drivers() {
		if d.name == s.Driver {
			return d.open(s, env)
		}
	}
	for _, d := range others {
		if d.Name == s.Driver {
			return d.Open(s.URI, env)
		}
	}
	return nil, fmt.Errorf("there is no driver %q", s.Driver)
}

// describe says in log attributes which store this is and where.
func (s Store) describe() []any {
	as := []any{"driver", s.Driver}
	if s.Driver != "embedded" {
		return as
	}
	dir, err := filepath.Abs(s.Dir)
	if err != nil {
		dir = s.Dir
	}
	return append(as, "dir", dir)
}
