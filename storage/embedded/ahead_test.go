package embedded

import (
	"testing"

	"zaqar/storage/embedded/disk/faultdisk"
)

// While groups are small, one write in many goes on with zeros so that the
// others find blocks that were written before; large groups are left alone.
func TestSmallGroupsWriteAhead(t *testing.T) {
	for _, c := range []struct {
		name       string
		size, many int
		min, max   int // writes besides those of the groups
	}{
		{"small", 1 << 10, 200, 1, 2},
		{"large", 96 << 10, 30, 0, 1}, // the first comes before it is known what is usual
	} {
		t.Run(c.name, func(t *testing.T) {
			w := faulty(t, 8<<20)
			_, err := w.send(t, c.size) // also names the queue
			must(t, err)
			before := w.disk.Stats()
			for range c.many {
				_, err := w.send(t, c.size)
				must(t, err)
			}
			after := w.disk.Stats()
			extra := int(after.Count(faultdisk.Write)-before.Count(faultdisk.Write)) - c.many
			if extra < c.min || extra > c.max {
				t.Errorf("%d writes more than groups, want %d to %d", extra, c.min, c.max)
			}
			if n := int(after.Count(faultdisk.Sync) - before.Count(faultdisk.Sync)); n != c.many {
				t.Errorf("%d syncs for %d groups", n, c.many)
			}
			must(t, w.close())
			must(t, w.open())
			if n := len(w.list(t)); n != 1+c.many {
				t.Errorf("%d of %d messages are there after a restart", n, 1+c.many)
			}
		})
	}
}
