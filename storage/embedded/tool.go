package embedded

import (
	"context"
	"errors"
	"fmt"
	"math"

	"zaqar/storage"
	"zaqar/storage/embedded/disk"
)

// Tool is what an operator's tool works with.
type Tool struct {
	Dir string
	FS  disk.FS // the operating system's if nil
	Env storage.Env
	// Progress is told how far a step has come, often, from one goroutine; nil:
	// nobody.
	Progress func(Progress)
}

// Progress is how far a tool has come with a step.
type Progress struct {
	Step        string
	Done, Total int64 // bytes
}

func (t *Tool) tell(step string, done, total int64) {
	if t.Progress != nil {
		t.Progress(Progress{step, done, total})
	}
}

// look opens the files of the store for reading.
func (t *Tool) look(ctx context.Context) (*snapshot, error) {
	return look(ctx, t.Dir, t.FS, t.Env)
}

// replay rebuilds the state of the store in memory.
func (t *Tool) replay(ctx context.Context, sn *snapshot) error {
	var total, done int64
	sizes := make(map[*segment]int64)
	for _, seg := range sn.open {
		size, err := seg.file.Size()
		if err != nil {
			return err
		}
		sizes[seg] = size
		total += size
	}
	sn.before = func(seg *segment) error {
		t.tell("reading", done, total)
		done += sizes[seg]
		return ctx.Err()
	}
	err := sn.replayAll()
	if err == nil {
		t.tell("reading", total, total)
	}
	return err
}

// checkSize refuses files that are too large for offsets in them.
func checkSize(seg *segment) error {
	size, err := seg.file.Size()
	if err == nil && size > math.MaxInt32 {
		err = fmt.Errorf("%s: %d bytes are too many for a segment", seg.name, size)
	}
	if err != nil {
		return errors.Join(err, seg.file.Close())
	}
	return nil
}

// CompactReport is what CompactAll gained.
type CompactReport struct {
	Dir    string      `json:"dir"`
	Before CompactSize `json:"before"`
	After  CompactSize `json:"after"`
}

// CompactSize is how much of the log there is, in bytes.
type CompactSize struct {
	Segments int   `json:"segments"`
	Log      int64 `json:"log"`  // written
	Live     int64 `json:"live"` // of that
}

// CompactAll opens the store in t.Dir, which nobody else may have open, and
// compacts it until nothing is gained any more. If ctx ends it stops where it
// is; the store is sound at any time.
func CompactAll(ctx context.Context, t Tool) (_ *CompactReport, err error) {
	sn, err := t.look(ctx) // to make no store where there is none
	if err != nil {
		return nil, err
	}
	if err := sn.close(); err != nil {
		return nil, err
	}
	s, err := open(t.Dir, Config{FS: t.FS, SweepEvery: -1}, t.Env)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	report := &CompactReport{Dir: t.Dir, Before: s.compactSize()}
	report.After = report.Before
	on := func() bool {
		// Copies are made before anything is gained.
		most := report.Before.Log - report.Before.Live
		t.tell("compacting", min(max(0, report.Before.Log-s.compactSize().Log), most), most)
		return ctx.Err() == nil
	}
	for {
		if _, err := s.Sweep(ctx); err != nil {
			return nil, err
		}
		if err := s.compactWhile(on); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.tend()
		now := s.compactSize()
		gained := now.Log < report.After.Log
		report.After = now
		if !gained {
			return report, nil
		}
	}
}

// compactSize measures the log of a store in which nobody writes.
func (s *Store) compactSize() (c CompactSize) {
	for _, seg := range *s.segments.Load() {
		c.Segments++
		c.Live += seg.live.Load()
		c.Log += int64(seg.size)
	}
	return c
}
