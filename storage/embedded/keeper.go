package embedded

import (
	"errors"
	"io/fs"
	"time"
)

// keep makes spare segments and writes index files as segments fill up.
func (s *Store) keep() {
	defer s.working.Done()
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-s.seals:
		case <-retry.C:
			if s.journal.reserved() && !s.journal.full.Load() {
				continue
			}
		}
		if s.journal.failed() == nil {
			s.tend()
		}
	}
}

// kick has the keeper look whether there is something to do.
func (s *Store) kick() {
	select {
	case s.seals <- struct{}{}:
	default:
	}
}

// tend does what keep is for, once.
func (s *Store) tend() {
	err := s.journal.reserve()
	if full := err != nil; full != s.toldFull {
		s.toldFull = full
		if full {
			s.log.Error("store is full: new messages are refused until there is room", "error", err)
		} else {
			s.log.Info("store has room again")
		}
	}
	for _, seg := range s.sealed() {
		written, err := s.writeIndex(seg)
		if written {
			s.grow()
		}
		if err != nil {
			s.log.Warn("no index file for a log segment; without one the next start reads the segment itself", "segment", seg.number, "error", err)
			return // the others would hardly do better
		}
	}
}

// writeIndex moves the index of a full segment from memory to a file.
func (s *Store) writeIndex(seg *segment) (written bool, err error) {
	index, inFile := seg.indexInMemory()
	if inFile {
		return false, nil
	}
	if err := writeIndex(s.fs, s.dir, seg, index); err != nil {
		return false, err
	}
	seg.mu.Lock()
	seg.index, seg.indexed = nil, true
	seg.mu.Unlock()
	if s.segment(seg.number) == nil { // unlinked meanwhile
		return true, s.removeIndex(seg)
	}
	return true, nil
}

// grow has compaction look whether the log takes too much.
func (s *Store) grow() {
	select {
	case s.grown <- struct{}{}:
	default:
	}
}

func (s *Store) removeIndex(seg *segment) error {
	err := s.fs.Remove(s.dir + "/" + indexName(seg.number))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// housekeep reclaims what has expired, now and then.
func (s *Store) housekeep() {
	defer s.working.Done()
	s.working.Add(1)
	go s.reclaim()
	tick := time.NewTicker(s.config.SweepEvery)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-s.closing:
			return
		case <-tick.C:
		}
		s.sweep(s.now() - sweepSlack)
		if n%subscriptionSweeps == 0 && s.journal.failed() == nil {
			if err := s.sweepSubscriptions(); err != nil {
				s.log.Warn("expired subscriptions not erased", "error", err)
			}
		}
	}
}

// reclaim compacts the log now and then, and whenever a segment is full.
func (s *Store) reclaim() {
	defer s.working.Done()
	tick := time.NewTicker(s.config.SweepEvery)
	defer tick.Stop()
	told := ""
	for {
		select {
		case <-s.closing:
			return
		case <-tick.C:
			s.look()
		case <-s.grown:
		}
		if s.journal.failed() != nil {
			continue
		}
		err := s.relieve()
		if err != nil && err.Error() != told {
			s.log.Error("space could not be reclaimed", "error", err)
		}
		told = ""
		if err != nil {
			told = err.Error()
		}
	}
}

// subscriptionSweeps is how many rounds lie between two looks at subscriptions.
const subscriptionSweeps = 30
