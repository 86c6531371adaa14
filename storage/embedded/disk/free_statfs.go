//go:build darwin || dragonfly || freebsd

package disk

import "golang.org/x/sys/unix"

func available(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	// Bavail is negative on FreeBSD when only root may still write.
	return uint64(max(0, int64(st.Bavail))) * uint64(st.Bsize), nil
}
