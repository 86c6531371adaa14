package storagetest

import (
	"slices"
	"testing"
)

// shrinker looks for shorter histories on which the stores differ.
type shrinker struct {
	t    testing.TB
	h    Harness
	best *failure
	// often is how many replays without a difference make a history good. A
	// store that works in the background may differ at some times only.
	often int
	left  int // replays
}

// shrink leaves out steps as long as the stores still differ, halves first,
// single steps at last. Then it makes steps smaller.
func shrink(t testing.TB, h Harness, f *failure) *failure {
	s := &shrinker{t: t, h: h, best: f, left: 6000}
	s.often = s.measure()
	for size := len(f.history) / 2; size > 0; {
		shorter := s.leaveOut(size)
		if !shorter || size > 1 {
			size /= 2
		}
	}
	s.makeSmaller()
	return s.best
}

// measure returns how often to replay a history so that a difference as
// frequent as the first one is hardly overlooked.
func (s *shrinker) measure() int {
	const samples = 10
	different := 0
	for range samples {
		if replay(s.t, s.h, s.best.history) != nil {
			different++
		}
	}
	if different == samples {
		return 1
	}
	return 3 * samples / max(different, 1)
}

// differs takes a history for the best one if the stores differ on it.
func (s *shrinker) differs(history []step) bool {
	for range s.often {
		if s.left--; s.left < 0 {
			return false
		}
		if f := replay(s.t, s.h, history); f != nil {
			s.best = f
			return true
		}
	}
	return false
}

// leaveOut tries to leave out so many steps at each place.
func (s *shrinker) leaveOut(size int) (shorter bool) {
	for at := 0; at < len(s.best.history) && s.left > 0; {
		end := min(at+size, len(s.best.history))
		if s.differs(slices.Concat(s.best.history[:at], s.best.history[end:])) {
			shorter = true
		} else {
			at = end
		}
	}
	return shorter
}

func (s *shrinker) makeSmaller() {
	for at := 0; at < len(s.best.history); at++ {
		for _, smaller := range s.best.history[at].smaller {
			history := slices.Clone(s.best.history)
			history[at] = smaller
			if s.differs(history) {
				break
			}
		}
	}
}
