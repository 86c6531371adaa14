package bench

import "golang.org/x/sys/unix"

// inMemory reports whether a directory is on a file system without a disk,
// where syncing costs nothing.
func inMemory(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && (fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC)
}
