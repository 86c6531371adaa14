package embedded_test

import (
	"testing"

	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/embedded/disk/faultdisk"
	"zaqar/storage/storagetest"
)

// harness opens stores in directories that outlive them.
func harness(directory func(t testing.TB) (dir string, c embedded.Config)) storagetest.Harness {
	type place struct {
		dir    string
		config embedded.Config
	}
	places := make(map[storagetest.Store]place)
	open := func(t testing.TB, env storage.Env, p place) storagetest.Store {
		s, err := embedded.Open(p.dir, p.config, env)
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		places[s] = p
		return s
	}
	return storagetest.Harness{
		Open: func(t testing.TB, env storage.Env) storagetest.Store {
			dir, c := directory(t)
			return open(t, env, place{dir, c})
		},
		Reopen: func(t testing.TB, env storage.Env, old storagetest.Store) storagetest.Store {
			p := places[old]
			delete(places, old)
			if err := old.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			return open(t, env, p)
		},
	}
}

func onDisk(t testing.TB) (string, embedded.Config) {
	return t.TempDir(), embedded.Config{SegmentSize: 1 << 20, SweepEvery: -1}
}

// tiny makes segments so small that everything crosses them.
func tiny(t testing.TB) (string, embedded.Config) {
	return "store", embedded.Config{FS: faultdisk.New(faultdisk.Config{}), SegmentSize: 4 << 10, SweepEvery: -1}
}

func TestConformance(t *testing.T) {
	t.Run("disk", func(t *testing.T) { storagetest.Run(t, harness(onDisk)) })
	t.Run("tiny segments", func(t *testing.T) { storagetest.Run(t, harness(tiny)) })
}
