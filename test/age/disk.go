package age

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// usage is what a store's directory takes on disk, in bytes.
type usage struct{ log, index, other int64 }

func (u usage) total() int64 { return u.log + u.index + u.other }

// measure adds up the files of a store. One that goes while it looks counts
// nothing.
func measure(dir string) (u usage, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		switch n := taken(info); {
		case strings.HasSuffix(path, ".log"):
			u.log += n
		case strings.HasSuffix(path, ".idx"), strings.HasSuffix(path, ".idx.new"):
			u.index += n
		default:
			u.other += n
		}
		return nil
	})
	return u, err
}

// taken is what a file takes, with what is reserved for it.
func taken(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return max(info.Size(), st.Blocks*512)
	}
	return info.Size()
}
