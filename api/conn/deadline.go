package conn

import (
	"errors"
	"os"
	"sync"
	"time"
)

// deadline is the deadline of reads or of writes. The connection's own is at
// armed; while an operation is under way that is never later than wanted. When
// it passes and wanted has not come, it is moved there.
type deadline struct {
	mu            sync.Mutex
	wanted, armed time.Time // zero: none
	busy          int       // operations under way
	// exact keeps armed at wanted: an operation that the connection ends early
	// cannot be gone on with.
	exact bool
}

// want asks for a deadline; set sets the connection's own.
func (d *deadline) want(t time.Time, set func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if d.busy == 0 {
		return nil
	}
	return d.arm(set)
}

// arm moves the connection's own deadline if it is too late.
func (d *deadline) arm(set func(time.Time) error) error {
	if d.exact && !d.wanted.Equal(d.armed) {
		d.armed = d.wanted
		return set(d.armed)
	}
	if d.wanted.IsZero() || !d.armed.IsZero() && !d.wanted.Before(d.armed) {
		return nil
	}
	d.armed = d.wanted
	return set(d.armed)
}

// begin begins an operation, unless its time is over.
func (d *deadline) begin(now func() time.Time, set func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.exact || !d.wanted.IsZero() && (d.armed.IsZero() || d.wanted.Before(d.armed)) {
		if !d.wanted.IsZero() && !now().Before(d.wanted) {
			return os.ErrDeadlineExceeded
		}
		if err := d.arm(set); err != nil {
			return err
		}
	}
	d.busy++
	return nil
}

// end ends an operation.
func (d *deadline) end() {
	d.mu.Lock()
	d.busy--
	d.mu.Unlock()
}

// early reports whether err tells of a deadline that nobody wants any more. If
// so, the one wanted is in force afterwards.
func (d *deadline) early(err error, now func() time.Time, set func(time.Time) error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.wanted.IsZero() && !now().Before(d.wanted) {
		return false
	}
	d.armed = d.wanted
	return set(d.wanted) == nil
}

// none reports whether no deadline is wanted.
func (d *deadline) none() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wanted.IsZero()
}
