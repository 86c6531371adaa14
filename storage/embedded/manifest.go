package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"slices"
	"time"

	"zaqar/storage/embedded/disk"
)

// manifestName is a file that only a backup has. The first start on a backup,
// wherever it was copied to, checks against it that no segment is missing or ends
// too early and none of another time is there, leaves out the sequence numbers
// that the original may have given out since, and removes it.
const manifestName = "BACKUP"

// manifest is the content of the BACKUP file: one line of JSON, then its
// checksum.
type manifest struct {
	Format int            `json:"format"`
	Store  string         `json:"store"`
	Made   time.Time      `json:"made"`
	Files  []manifestFile `json:"files"`
}

// manifestFile is a file of the backup. A segment file may grow, zeros behind
// its end.
type manifestFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	CRC   uint32 `json:"crc32c"`
}

func (m *manifest) encode() ([]byte, error) {
	b, err := json.Marshal(m)
	return fmt.Appendf(b, "\ncrc32c %08x\n", crc32.Checksum(b, castagnoli)), err
}

// readManifest returns the manifest of the directory, nil if there is none.
func readManifest(fsys disk.FS, dir string) (*manifest, error) {
	name := dir + "/" + manifestName
	b, err := readFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, sum, _ := bytes.Cut(b, []byte("\n"))
	m := new(manifest)
	if string(sum) != fmt.Sprintf("crc32c %08x\n", crc32.Checksum(text, castagnoli)) || json.Unmarshal(text, m) != nil {
		return nil, fmt.Errorf("%s is damaged, so that it cannot be told whether this backup is complete: take another one, or remove the file to use what is there", name)
	}
	return m, nil
}

// fits reports what keeps the segments in a directory from being the backup.
func (m *manifest) fits(r *recovery, names []string) error {
	for _, f := range m.Files {
		number, ok := segmentNumber(f.Name, logSuffix)
		switch {
		case !ok || r.segment(number) != nil:
			continue
		case !slices.Contains(names, f.Name):
			return fmt.Errorf("%s: %s of the backup is missing: restore all of its files", r.dir, f.Name)
		}
		// It was left out as one that holds nothing, or cannot be read. Was it so
		// when the backup was made?
		if same, err := f.sameIn(r.fs, r.dir); err != nil || !same {
			return f.other(r.dir, err)
		}
	}
	for n, seg := range r.open {
		name := segmentName(seg.number)
		i := slices.IndexFunc(m.Files, func(f manifestFile) bool { return f.Name == name })
		if i < 0 {
			return fmt.Errorf("%s: %s is not part of the backup: restore into an empty directory", r.dir, name)
		}
		size, err := seg.file.Size()
		if err != nil {
			return err
		}
		if size < m.Files[i].Bytes {
			return fmt.Errorf("%s: %s has %d bytes, in the backup it had %d: restore it again", r.dir, name, size, m.Files[i].Bytes)
		}
		if n == len(r.open)-1 && int64(seg.size) < m.Files[i].Bytes { // the log ends before it did
			if same, err := m.Files[i].sameContent(seg.file); err != nil || !same {
				return m.Files[i].other(r.dir, err)
			}
		}
	}
	return nil
}

// other is the error of a file that has another content than the backup gave it.
func (f manifestFile) other(dir string, err error) error {
	return errors.Join(fmt.Errorf("%s: %s is not what the backup wrote: restore it again", dir, f.Name), err)
}

// checkRestored checks a directory that was restored from a backup, if it is
// one.
func (r *recovery) checkRestored(names []string) error {
	m, err := readManifest(r.fs, r.dir)
	if m == nil || err != nil {
		return err
	}
	if err := m.fits(r, names); err != nil {
		return err
	}
	r.restored = true
	r.next += damageSkip
	return nil
}

// endRestore makes a restored store an ordinary one. The spare segment has been
// made by then, whose header remembers the numbers that are left out.
func (s *Store) endRestore() error {
	s.log.Info("the store was restored from a backup", "dir", s.dir)
	err := s.fs.Remove(s.dir + "/" + manifestName)
	return errors.Join(err, s.fs.SyncDir(s.dir))
}
