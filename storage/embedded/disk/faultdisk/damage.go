package faultdisk

import (
	"io/fs"
	"math/rand/v2"
)

// FlipBit turns over one bit (0 to 7) of the byte at off, for good.
func (d *Disk) FlipBit(name string, off int64, bit uint) error {
	return d.alter(name, off, 1, func(b []byte) { b[0] ^= 1 << bit })
}

// Garble changes every byte of a range at random, for good.
func (d *Disk) Garble(name string, off, n int64) error {
	rng := rand.New(rand.NewPCG(d.seed, uint64(off)))
	return d.alter(name, off, n, func(b []byte) {
		for i := range b {
			b[i] ^= byte(1 + rng.IntN(255))
		}
	})
}

// alter changes stored bytes. Undoing an unsynced change may still undo that.
func (d *Disk) alter(name string, off, n int64, change func([]byte)) error {
	return d.at(name, func(f *node) error {
		if off < 0 || off+n > f.content.size {
			return fs.ErrInvalid
		}
		b := make([]byte, n)
		f.content.copyOut(b, off)
		change(b)
		f.content.restore(b, off, n)
		return nil
	})
}

// BreakReads makes reads that touch the range fail with EIO, across crashes
// and whatever is written there.
func (d *Disk) BreakReads(name string, off, n int64) error {
	return d.at(name, func(f *node) error {
		f.broken = append(f.broken, span{off, n})
		return nil
	})
}

// ReadFile returns the content of a file. It is no operation: not counted, and
// possible on a disk that has crashed, where it shows what the process saw.
func (d *Disk) ReadFile(name string) ([]byte, error) {
	var b []byte
	err := d.at(name, func(f *node) error {
		b = make([]byte, f.content.size)
		f.content.copyOut(b, 0)
		return nil
	})
	return b, err
}

// at runs do on the file of the name.
func (d *Disk) at(name string, do func(*node) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.walk(split(name))
	if err == nil && n.isDir() {
		err = fs.ErrInvalid
	}
	if err == nil {
		err = do(n)
	}
	if err != nil {
		return &fs.PathError{Op: "damage", Path: name, Err: err}
	}
	return nil
}
