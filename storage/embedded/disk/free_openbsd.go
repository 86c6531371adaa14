package disk

import "golang.org/x/sys/unix"

func available(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return uint64(max(0, st.F_bavail)) * uint64(st.F_bsize), nil
}
