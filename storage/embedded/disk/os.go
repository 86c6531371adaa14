package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// OS returns the file system of the machine.
func OS() FS { return osFS{} }

type osFS struct{}

// Create implements FS.
func (osFS) Create(name string) (File, error) {
	return openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

// Open implements FS.
func (osFS) Open(name string) (File, error) {
	return openFile(name, os.O_RDWR)
}

// openFile opens regular files only: a pipe could keep its opener for ever.
func openFile(name string, flag int) (File, error) {
	f, err := os.OpenFile(name, flag|syscall.O_NONBLOCK, fileMode)
	if err != nil {
		return nil, classify(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, errors.Join(classify(err), f.Close())
	}
	return &osFile{f: f}, nil
}

// Remove implements FS.
func (osFS) Remove(name string) error { return classify(os.Remove(name)) }

// Rename implements FS. It is on disk after SyncDir only.
func (osFS) Rename(oldname, newname string) error {
	return classify(os.Rename(oldname, newname))
}

// List implements FS.
func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, classify(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

// MkdirAll implements FS. Each directory made is synced into its parent.
func (d osFS) MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	err := os.Mkdir(dir, dirMode)
	if errors.Is(err, fs.ErrNotExist) && parent != dir {
		if err := d.MkdirAll(parent); err != nil {
			return err
		}
		err = os.Mkdir(dir, dirMode)
	}
	made := err == nil
	if err != nil {
		if info, serr := os.Stat(dir); serr != nil || !info.IsDir() {
			return classify(err)
		}
	}
	// An existing directory may be one whose maker was killed before it could
	// sync. Its parent need not be ours to open, though.
	err = d.SyncDir(parent)
	if !made && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
		return nil
	}
	return err
}

// SyncDir implements FS. It does nothing where directories cannot be synced.
func (osFS) SyncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return classify(err)
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // this file system cannot sync directories
	}
	return classify(err)
}

// Lock implements FS with a lock of the system, which ends with the process.
func (osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, classify(err)
	}
	err = control(f, "flock", tryLock)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("lock %s: %w (%s)", name, ErrLocked, holder(f))
	}
	if err != nil {
		f.Close()
		return nil, classify(err)
	}
	// The id helps people only: a full disk must not keep a store from opening.
	if n, err := f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0); err == nil {
		_ = f.Truncate(int64(n))
	}
	return f, nil
}

// holder says which process wrote its id into the lock file f.
func holder(f *os.File) string {
	buf := make([]byte, 32)
	n, _ := f.ReadAt(buf, 0)
	pid := strings.TrimSpace(string(buf[:n]))
	if pid == "" {
		return "process unknown"
	}
	return "process " + pid
}

// Free implements FS: what the user of this process may still write.
func (osFS) Free(dir string) (uint64, error) {
	var free uint64
	err := repeat(func() (err error) { free, err = available(dir); return err })
	if err != nil {
		return 0, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return free, nil
}

type osFile struct{ f *os.File }

// ReadAt and WriteAt of os.File repeat until everything is done or fails.
func (f *osFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

// WriteAt implements File.
func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	return n, classify(err)
}

// Size implements File.
func (f *osFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, classify(err)
	}
	return info.Size(), nil
}

// Truncate implements File.
func (f *osFile) Truncate(size int64) error { return classify(f.f.Truncate(size)) }

// Sync implements File: the data, and of the rest what is needed to read it.
func (f *osFile) Sync() error { return classify(syncData(f.f)) }

// Close implements File.
func (f *osFile) Close() error { return classify(f.f.Close()) }

// Allocate implements File.
func (f *osFile) Allocate(off, n int64) error {
	if off < 0 || n <= 0 {
		return &fs.PathError{Op: "allocate", Path: f.f.Name(), Err: syscall.EINVAL}
	}
	before, err := f.Size()
	if err != nil {
		return err
	}
	err = reserve(f.f, off, n)
	if errors.Is(err, errors.ErrUnsupported) {
		err = fill(f.f, off, n)
	}
	if err == nil {
		return nil
	}
	if now, serr := f.Size(); serr == nil && now > before {
		err = errors.Join(err, f.f.Truncate(before))
	}
	return classify(err)
}

// fill takes the space of a range by writing what it reads there.
func fill(f *os.File, off, n int64) error {
	buf := make([]byte, min(n, 256<<10))
	for end := off + n; off < end; {
		p := buf[:min(int64(len(buf)), end-off)]
		got, err := f.ReadAt(p, off)
		if err != nil && err != io.EOF {
			return err
		}
		clear(p[got:])
		if _, err := f.WriteAt(p, off); err != nil {
			return err
		}
		off += int64(len(p))
	}
	return nil
}

// control runs a system call on the file, repeated while it is interrupted.
func control(f *os.File, op string, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var cerr error
	err = conn.Control(func(fd uintptr) {
		cerr = repeat(func() error { return call(int(fd)) })
	})
	if err != nil {
		cerr = fs.ErrClosed // the only reason not to call
	}
	if cerr != nil {
		return &fs.PathError{Op: op, Path: f.Name(), Err: cerr}
	}
	return nil
}

func repeat(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}

// classify adds ErrFull to the errors it stands for.
func classify(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}
