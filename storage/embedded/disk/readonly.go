package disk

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ReadOnly returns a view of a file system through which nothing can change:
// every call that would fails with fs.ErrPermission and does nothing. Files of
// the operating system are opened for reading only, so that the right to read
// is enough.
func ReadOnly(fsys FS) FS { return readOnly{fsys} }

type readOnly struct{ FS }

// Open implements FS. The file refuses every change.
func (r readOnly) Open(name string) (File, error) {
	f, err := r.open(name)
	if err != nil {
		return nil, err
	}
	return readOnlyFile{f, name}, nil
}

func (r readOnly) open(name string) (File, error) {
	if _, ok := r.FS.(osFS); ok {
		return openFile(name, os.O_RDONLY)
	}
	return r.FS.Open(name)
}

func refused(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fmt.Errorf("%w: opened for reading only", fs.ErrPermission)}
}

func (readOnly) Create(name string) (File, error)    { return nil, refused("create", name) }
func (readOnly) Remove(name string) error            { return refused("remove", name) }
func (readOnly) Rename(name, _ string) error         { return refused("rename", name) }
func (readOnly) MkdirAll(dir string) error           { return refused("mkdir", dir) }
func (readOnly) SyncDir(dir string) error            { return refused("sync", dir) }
func (readOnly) Lock(name string) (io.Closer, error) { return nil, refused("lock", name) }

type readOnlyFile struct {
	File
	name string
}

func (f readOnlyFile) WriteAt([]byte, int64) (int, error) { return 0, refused("write", f.name) }
func (f readOnlyFile) Truncate(int64) error               { return refused("truncate", f.name) }
func (f readOnlyFile) Allocate(_, _ int64) error          { return refused("allocate", f.name) }
func (f readOnlyFile) Sync() error                        { return refused("sync", f.name) }
