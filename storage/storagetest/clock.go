package storagetest

import (
	"time"

	"zaqar/internal/testclock"
)

// Clock is a clock that stands still until it is moved. It may be used
// concurrently.
type Clock = testclock.Clock

// NewClock returns a clock at a fixed instant.
func NewClock() *Clock { return testclock.New(time.Date(2031, 5, 17, 9, 30, 0, 0, time.UTC)) }
