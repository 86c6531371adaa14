package faultdisk

import (
	"errors"
	"io"
	"io/fs"
	"sync/atomic"
	"syscall"

	"zaqar/storage/embedded/disk"
)

// file is an open file.
type file struct {
	d      *Disk
	n      *node
	name   string
	closed atomic.Bool
}

// do runs an operation on the open file.
func (f *file) do(op Op, all func() error, broken func(int)) error {
	op.Name = f.name
	if f.closed.Load() {
		return failure(op, fs.ErrClosed)
	}
	return f.d.do(op, all, broken)
}

// ReadAt implements disk.File.
func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	op := Op{Kind: Read, Off: off, N: int64(len(p))}
	var end error
	err = f.do(op, func() error {
		if off < 0 {
			return syscall.EINVAL
		}
		for _, b := range f.n.broken {
			if off < b.off+b.n && b.off < off+int64(len(p)) {
				return syscall.EIO
			}
		}
		n, end = f.n.content.readAt(p, off)
		f.d.stats.BytesRead += int64(n)
		return nil
	}, nil)
	if err == nil {
		err = end // io.EOF goes bare
	}
	if err == nil && n < len(p) {
		err = io.ErrUnexpectedEOF // a lie
	}
	return n, err
}

// WriteAt implements disk.File. On a full disk it writes what fits.
func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	op := Op{Kind: Write, Off: off, N: int64(len(p))}
	err = f.do(op, func() (err error) {
		if off < 0 {
			return syscall.EINVAL
		}
		n, err = f.d.write(f.n, p, off)
		return err
	}, func(short int) {
		if off >= 0 {
			n, _ = f.d.write(f.n, p[:min(short, len(p))], off)
		}
	})
	if err == nil {
		n = len(p) // also when that is a lie
	}
	if errors.Is(err, ErrCrashed) {
		n = 0
	}
	return n, err
}

// write changes the content, without making it durable.
func (d *Disk) write(n *node, p []byte, off int64) (int, error) {
	fit := d.fit(n, off, int64(len(p)))
	if fit > 0 {
		d.record(n, change{off: off, n: fit, old: n.content.before(off, fit),
			size: n.content.size, sized: off+fit > n.content.size})
		d.used += pageSize * n.content.missing(off, fit)
		n.content.writeAt(p[:fit], off)
		d.stats.BytesWritten += fit
	}
	if fit < int64(len(p)) {
		return int(fit), disk.ErrFull
	}
	return len(p), nil
}

// fit returns how much of a range there is space for.
func (d *Disk) fit(n *node, off, size int64) int64 {
	room := d.room()
	if n.content.missing(off, size) <= room {
		return size
	}
	for i := off / pageSize; ; i++ {
		room -= n.content.missing(i*pageSize, 1)
		if room < 0 {
			return max(0, i*pageSize-off)
		}
	}
}

func (d *Disk) record(n *node, c change) {
	d.clock++
	c.at, c.short = d.clock, d.ending
	n.changes = append(n.changes, c)
}

// Size implements disk.File.
func (f *file) Size() (int64, error) {
	if f.closed.Load() {
		return 0, &fs.PathError{Op: "size", Path: f.name, Err: fs.ErrClosed}
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.crashed {
		return 0, &fs.PathError{Op: "size", Path: f.name, Err: ErrCrashed}
	}
	return f.n.content.size, nil
}

// Truncate implements disk.File.
func (f *file) Truncate(size int64) error {
	return f.do(Op{Kind: Truncate, N: size}, func() error {
		if size < 0 {
			return syscall.EINVAL
		}
		c := &f.n.content
		if size == c.size {
			return nil
		}
		f.d.record(f.n, change{size: c.size, sized: true})
		for off := size; off < c.size; {
			n := min(pageSize-off%pageSize, c.size-off)
			if old := c.before(off, n); old != nil {
				f.d.record(f.n, change{off: off, n: n, old: old})
			}
			off += n
		}
		before := c.used()
		c.resize(size)
		f.d.used -= pageSize * (before - c.used())
		return nil
	}, nil)
}

// Allocate implements disk.File.
func (f *file) Allocate(off, n int64) error {
	return f.do(Op{Kind: Allocate, Off: off, N: n}, func() error {
		if off < 0 || n <= 0 {
			return syscall.EINVAL
		}
		c := &f.n.content
		pages := c.missing(off, n)
		if pages > f.d.room() {
			return disk.ErrFull
		}
		if off+n > c.size {
			f.d.record(f.n, change{size: c.size, sized: true})
		}
		f.d.used += pageSize * pages
		c.reserve(off, n)
		return nil
	}, nil)
}

// Sync implements disk.File. What is written while it runs is not covered.
func (f *file) Sync() error {
	mark := f.d.mark()
	return f.do(Op{Kind: Sync}, func() error {
		f.n.synced(mark, f.d.sector)
		return nil
	}, func(int) {
		f.n.dropped(mark, f.d.sector, f.d.dice(mark))
	})
}

// Close implements disk.File.
func (f *file) Close() error {
	if f.closed.Swap(true) {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.crashed {
		return &fs.PathError{Op: "close", Path: f.name, Err: ErrCrashed}
	}
	f.n.handles--
	f.d.forget(f.n)
	return nil
}
