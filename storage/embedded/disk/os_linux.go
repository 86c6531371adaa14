package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// piece bounds one fallocate. A signal undoes the whole call on tmpfs: with a
// profiler running, a large one would never end.
const piece = 8 << 20

// reserve is errors.ErrUnsupported where the file system cannot do it.
func reserve(f *os.File, off, n int64) error {
	for end := off + n; off < end; off += piece {
		size := min(piece, end-off)
		err := control(f, "fallocate", func(fd int) error {
			return unix.Fallocate(fd, 0, off, size)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// syncData leaves out times, which fsync would write.
func syncData(f *os.File) error { return control(f, "fdatasync", unix.Fdatasync) }

func tryLock(fd int) error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) }

func available(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Frsize), nil
}
