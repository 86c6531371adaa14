//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reserve leaves the work to fill: what these systems offer instead of
// fallocate promises less.
func reserve(*os.File, int64, int64) error { return errors.ErrUnsupported }

// syncData asks the drive too on darwin, where os.File does so.
func syncData(f *os.File) error { return f.Sync() }

func tryLock(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) }
