package faultdisk

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"syscall"

	"zaqar/storage/embedded/disk"
)

// walk returns the node at the end of the path.
func (d *Disk) walk(path []string) (*node, error) {
	n := d.root
	for _, name := range path {
		if !n.isDir() {
			return nil, syscall.ENOTDIR
		}
		if n = n.entries[name]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// place returns the directory a path lies in, and its last element.
func (d *Disk) place(name string) (*node, string, error) {
	path := split(name)
	if len(path) == 0 {
		return nil, "", syscall.EBUSY // the root
	}
	dir, err := d.walk(path[:len(path)-1])
	if err == nil && !dir.isDir() {
		err = syscall.ENOTDIR
	}
	return dir, path[len(path)-1], err
}

// link makes the name in dir mean n, or nothing. It does not make it durable.
func (d *Disk) link(m *move, dir *node, name string, n *node) {
	old := dir.entries[name]
	m.parts = append(m.parts, part{dir: dir, name: name, old: old})
	if n != nil {
		dir.entries[name] = n
		n.names++
	} else {
		delete(dir.entries, name)
	}
	if old != nil {
		old.names--
	}
}

// moved records what link did.
func (d *Disk) moved(m *move) {
	d.clock++
	m.at = d.clock
	d.moves = append(d.moves, m)
}

// add makes an empty file, or a directory.
func (d *Disk) add(dir *node, name string, isDir bool) (*node, error) {
	if d.room() < 1 {
		return nil, disk.ErrFull
	}
	n := d.newNode()
	if isDir {
		n.entries = map[string]*node{}
	}
	m := &move{}
	d.link(m, dir, name, n)
	d.moved(m)
	return n, nil
}

// Create implements disk.FS.
func (d *Disk) Create(name string) (disk.File, error) {
	var f *file
	err := d.do(Op{Kind: Create, Name: name}, func() error {
		dir, base, err := d.place(name)
		if err != nil {
			return err
		}
		if dir.entries[base] != nil {
			return fs.ErrExist
		}
		n, err := d.add(dir, base, false)
		if err != nil {
			return err
		}
		f = d.open(name, n)
		return nil
	}, nil)
	return opened(f, err)
}

// Open implements disk.FS.
func (d *Disk) Open(name string) (disk.File, error) {
	var f *file
	err := d.do(Op{Kind: Open, Name: name}, func() error {
		n, err := d.walk(split(name))
		if err != nil {
			return err
		}
		if n.isDir() {
			return syscall.EISDIR
		}
		f = d.open(name, n)
		return nil
	}, nil)
	return opened(f, err)
}

func (d *Disk) open(name string, n *node) *file {
	n.handles++
	return &file{d: d, n: n, name: name}
}

// opened avoids an interface around a nil pointer.
func opened(f *file, err error) (disk.File, error) {
	if f == nil {
		return nil, err
	}
	return f, err
}

// Remove implements disk.FS.
func (d *Disk) Remove(name string) error {
	return d.do(Op{Kind: Remove, Name: name}, func() error {
		dir, base, err := d.place(name)
		if err != nil {
			return err
		}
		n := dir.entries[base]
		switch {
		case n == nil:
			return fs.ErrNotExist
		case len(n.entries) > 0:
			return syscall.ENOTEMPTY
		}
		m := &move{}
		d.link(m, dir, base, nil)
		d.moved(m)
		d.forget(n)
		return nil
	}, nil)
}

// Rename implements disk.FS. Directories are not renamed.
func (d *Disk) Rename(oldname, newname string) error {
	return d.do(Op{Kind: Rename, Name: oldname, To: newname}, func() error {
		from, oldbase, err := d.place(oldname)
		if err != nil {
			return err
		}
		n := from.entries[oldbase]
		if n == nil {
			return fs.ErrNotExist
		}
		to, newbase, err := d.place(newname)
		if err != nil {
			return err
		}
		target := to.entries[newbase]
		switch {
		case target == n:
			return nil
		case n.isDir() && target != nil:
			return syscall.ENOTDIR
		case n.isDir() && n.holds(to):
			return syscall.EINVAL
		case target != nil && target.isDir():
			return syscall.EISDIR
		}
		m := &move{}
		d.link(m, to, newbase, n)
		d.link(m, from, oldbase, nil)
		d.moved(m)
		if target != nil {
			d.forget(target)
		}
		return nil
	}, nil)
}

// holds reports whether the directory is other, or has it below.
func (n *node) holds(other *node) bool {
	if n == other {
		return true
	}
	for _, e := range n.entries {
		if e.isDir() && e.holds(other) {
			return true
		}
	}
	return false
}

// List implements disk.FS.
func (d *Disk) List(dir string) ([]string, error) {
	var names []string
	err := d.do(Op{Kind: List, Name: dir}, func() error {
		n, err := d.dir(dir)
		if err != nil {
			return err
		}
		names = slices.Sorted(maps.Keys(n.entries))
		return nil
	}, nil)
	return names, err
}

func (d *Disk) dir(name string) (*node, error) {
	n, err := d.walk(split(name))
	if err == nil && !n.isDir() {
		err = syscall.ENOTDIR
	}
	return n, err
}

// MkdirAll implements disk.FS.
func (d *Disk) MkdirAll(name string) error {
	return d.do(Op{Kind: MkdirAll, Name: name}, func() error {
		n := d.root
		for _, base := range split(name) {
			next := n.entries[base]
			if next == nil {
				var err error
				if next, err = d.add(n, base, true); err != nil {
					return err
				}
			}
			if !next.isDir() {
				return syscall.ENOTDIR
			}
			d.syncDir(n, d.clock)
			n = next
		}
		return nil
	}, nil)
}

// SyncDir implements disk.FS.
func (d *Disk) SyncDir(dir string) error {
	mark := d.mark()
	return d.do(Op{Kind: SyncDir, Name: dir}, func() error {
		n, err := d.dir(dir)
		if err != nil {
			return err
		}
		d.syncDir(n, mark)
		return nil
	}, nil)
}

// mark is the moment up to which a sync that starts now reaches.
func (d *Disk) mark() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.clock
}

// syncDir makes the changes of one directory durable.
func (d *Disk) syncDir(dir *node, mark uint64) {
	d.moves = slices.DeleteFunc(d.moves, func(m *move) bool {
		if m.at <= mark {
			m.parts = slices.DeleteFunc(m.parts, func(p part) bool { return p.dir == dir })
		}
		return len(m.parts) == 0
	})
}

// Lock implements disk.FS. A crash releases it.
func (d *Disk) Lock(name string) (io.Closer, error) {
	var l *lock
	err := d.do(Op{Kind: Lock, Name: name}, func() error {
		dir, base, err := d.place(name)
		if err != nil {
			return err
		}
		n := dir.entries[base]
		if n == nil {
			if n, err = d.add(dir, base, false); err != nil {
				return err
			}
		}
		if n.isDir() {
			return syscall.EISDIR
		}
		if n.locked {
			return fmt.Errorf("%w (process %d)", disk.ErrLocked, os.Getpid())
		}
		n.locked = true
		n.handles++
		_, _ = d.write(n, fmt.Appendln(nil, os.Getpid()), 0)
		l = &lock{d: d, n: n}
		return nil
	}, nil)
	if l == nil {
		return nil, err
	}
	return l, err
}

type lock struct {
	d      *Disk
	n      *node
	closed bool
}

// Close releases the lock.
func (l *lock) Close() error {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	if l.closed {
		return fs.ErrClosed
	}
	l.closed = true
	l.n.locked = false
	l.n.handles--
	l.d.forget(l.n)
	return nil
}

// Free implements disk.FS. An unlimited disk has a pebibyte.
func (d *Disk) Free(dir string) (uint64, error) {
	var free int64
	err := d.do(Op{Kind: Free, Name: dir}, func() error {
		_, err := d.walk(split(dir))
		free = d.room() * pageSize
		return err
	}, nil)
	return uint64(free), err
}
