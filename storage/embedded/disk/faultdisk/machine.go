package faultdisk

import "io/fs"

// What a file system layer needs that stands on a Disk and serves whole
// programs. These are no operations: not counted, without faults, and possible
// on a disk that has crashed, where they show what the processes saw.

// Info describes a file or directory.
type Info struct {
	ID   uint64 // of the file, whatever its names
	Dir  bool
	Size int64
}

// Stat describes what the name means.
func (d *Disk) Stat(name string) (Info, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.walk(split(name))
	if err != nil {
		return Info{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return Info{ID: n.id, Dir: n.isDir(), Size: n.content.size}, nil
}

// Dead is closed when the disk has stopped.
func (d *Disk) Dead() <-chan struct{} { return d.dead }

// Mkdir makes one directory, which SyncDir of its parent makes durable. It is
// an operation like MkdirAll, and counted as one.
func (d *Disk) Mkdir(name string) error {
	return d.do(Op{Kind: MkdirAll, Name: name}, func() error {
		dir, base, err := d.place(name)
		if err != nil {
			return err
		}
		if dir.entries[base] != nil {
			return fs.ErrExist
		}
		_, err = d.add(dir, base, true)
		return err
	}, nil)
}
