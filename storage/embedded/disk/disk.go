// Package disk is the file system the embedded engine stands on: the few calls
// a crash-safe log needs, each with an exact promise about what survives.
//
// # What survives a crash
//
// A killed process loses nothing that a call had completed. A power cut leaves
// each file and each directory with everything before its last sync, and with
// any part of what came after:
//
//   - File.Sync makes the content and the size of the file durable. It says
//     nothing about the name of the file.
//   - FS.SyncDir makes the creates, renames and removes in one directory
//     durable. It says nothing about the content of the files.
//   - A new file is therefore safe after both. A file replaced through Rename
//     is whole at all times if it was synced before it was renamed: the name
//     means the old file or the new one.
//   - Writes, size changes and directory changes that are not synced may
//     survive in part and in any order. A single write may survive in part,
//     in units of a disk sector.
//
// After a failed Sync the unsynced content is unknown, and a later Sync that
// succeeds proves nothing about it: the caller must give the file up.
//
// # Names
//
// Names are paths as package os takes them. Files are made with mode 0600 and
// directories with 0700, less the umask.
//
// # Errors
//
// Errors name the operation and the path. They answer errors.Is for
// fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, fs.ErrClosed, ErrFull and
// ErrLocked, and for the system's error number where there is one. An interrupted
// system call is repeated and never an error.
//
// OS is the real thing. Package faultdisk is one in memory that loses, tears
// and refuses as real disks do.
package disk

import (
	"errors"
	"io"
)

// ErrFull is in every error that was caused by lack of space or quota.
var ErrFull = errors.New("no space left")

// ErrLocked is in the error of FS.Lock when the lock is held already.
var ErrLocked = errors.New("locked by another process")

// FS is a file system. All methods may be called concurrently.
type FS interface {
	// Create makes a new empty file for reading and writing. It fails with
	// fs.ErrExist if the name is taken.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing. It fails with
	// fs.ErrNotExist if there is none.
	Open(name string) (File, error)
	// Remove removes the name of a file, or an empty directory. A file that is
	// open stays usable, and its space stays in use, until its last close.
	Remove(name string) error
	// Rename gives the file the new name, replacing a file that has it. At any
	// instant the new name means one of the two. A directory is only given a
	// name that is free.
	Rename(oldname, newname string) error
	// List returns the base names of everything in dir, sorted byte-wise.
	List(dir string) ([]string, error)
	// MkdirAll makes the directory and its missing parents, and makes their
	// names durable. An existing directory is not an error.
	MkdirAll(dir string) error
	// SyncDir makes the creates, renames and removes in dir durable that
	// returned before. A rename across directories needs it on both.
	SyncDir(dir string) error
	// Lock makes the file if it is missing and locks it against every other
	// Lock of it, in this process and in others, until the returned Closer is
	// closed or the process ends. It does not wait: if the lock is held, the
	// error is ErrLocked and tells the process id of the holder. The file
	// holds that id and stays when the lock is released.
	Lock(name string) (io.Closer, error)
	// Free returns how many bytes an unprivileged process may still write to
	// the file system that holds dir.
	Free(dir string) (uint64, error)
}

// File is an open file. Reads and writes may be concurrent with each other and
// with Sync; Truncate and Allocate must not be concurrent with writes. After
// Close every call fails with fs.ErrClosed.
type File interface {
	// ReadAt returns io.EOF when fewer bytes are left than asked for. Ranges
	// that were never written read as zeros.
	io.ReaderAt
	// WriteAt writes all of p, growing the file as needed, or returns an error
	// and how many bytes of p were written.
	io.WriterAt
	// Size returns the length of the file in bytes.
	Size() (int64, error)
	// Truncate sets the size. What is cut off is gone: a file that grows again
	// reads zeros there.
	Truncate(size int64) error
	// Allocate reserves space for the n bytes at off, so that writes within the
	// range do not run out of space. The content stays; the file grows to
	// off+n if it is shorter, reading zeros. If it fails the size is as before.
	// On file systems that copy on write the reservation is only as good as
	// theirs.
	Allocate(off, n int64) error
	// Sync returns once everything written before, and the size, is durable.
	Sync() error
	// Close closes the file. It does not sync.
	Close() error
}
