package conn

import (
	"errors"
	"os"
	"sync"
	"time"
)

// deadline is the deadline of reads or of writes. The connection's own is at
// armed, which is never later than wanted: when it passes and wanted has not
// come, it is moved there.
type deadline struct {
	mu            sync.Mutex
	wanted, armed time.Time // zero: none
}

// want asks for a deadline; set sets the connection's own.
func (d *deadline) want(t time.Time, set func(time.Time) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if t.IsZero() || !d.armed.IsZero() && !t.Before(d.armed) {
		return nil
	}
	d.armed = t
	return set(t)
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
