package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

func TestToolsWithoutAStore(t *testing.T) {
	d := faultdisk.New(faultdisk.Config{})
	must(t, d.MkdirAll("empty"))
	for _, dir := range []string{"missing", "empty"} {
		tool := Tool{Dir: dir, FS: d, Env: storage.Env{Now: time.Now}}
		_, verr := Verify(t.Context(), tool)
		_, ierr := Inspect(t.Context(), tool, 0)
		_, berr := Backup(t.Context(), tool, "to")
		_, cerr := CompactAll(t.Context(), tool)
		for _, err := range []error{verr, ierr, berr, cerr} {
			if !errors.Is(err, ErrNoStore) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s: %v", dir, err)
			}
		}
		if names, err := d.List("."); err != nil || !slices.Equal(names, []string{"empty"}) {
			t.Errorf("the tools left %v, %v", names, err)
		}
	}
}

// FuzzTools has the tools look at a store in which files are of anybody's
// making. They may find it damaged, or refuse it; they must come to an end.
func FuzzTools(f *testing.F) {
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	must(f, w.open())
	for range 12 {
		w.now++
		_, err := w.run([]act{post(boxes[0], 3, forever, 0, 200), claimSome(boxes[0], storage.Terms{TTL: 60, Limit: 2}), move(0, boxes[1], 0), tend})
		must(f, err)
	}
	copied := w.backedUp(f, "backup")
	must(f, w.close())
	names := []string{segmentName(1), indexName(1), segmentName(2), formatName, manifestName, failedName}
	for i, name := range names {
		b, err := copied.disk.ReadFile("store/" + name)
		if err != nil {
			b = []byte("1 32\n")
		}
		f.Add(byte(i), uint16(0), b, false)
		f.Add(byte(i), uint16(len(b)/2), []byte("\xff\x00garbage"), false)
		f.Add(byte(i), uint16(40), b[:len(b)/2], true)
	}
	f.Fuzz(func(t *testing.T, which byte, at uint16, b []byte, sealed bool) {
		if len(b) > 64<<10 {
			return
		}
		again := copied.on(copied.disk.Clone())
		name := names[int(which)%len(names)]
		content, err := again.disk.ReadFile("store/" + name)
		off := min(int(at), len(content))
		content = append(content[:off], append(b, content[min(len(content), off+len(b)):]...)...)
		if sealed && err == nil {
			content = resealed(name, content)
		}
		must(t, replaceFile(again.disk, "store", "store/"+name, content))
		_, _ = Inspect(t.Context(), again.tool(), AllQueues)
		v, verr := Verify(t.Context(), again.tool())
		if _, err := Backup(t.Context(), again.tool(), "again"); err == nil && verr == nil && v.Clean {
			if v := again.restored(t, "again").verified(t); !v.Clean {
				t.Errorf("the backup of a clean store has damage: %v", v.Damage)
			}
		}
		if err := again.open(); err != nil && verr == nil && v.Clean {
			t.Errorf("a clean store does not open: %v", err)
		}
		_ = again.close()
	})
}

// resealed makes the checksums of a file right, so that what is behind them is
// read.
func resealed(name string, b []byte) []byte {
	le := binary.LittleEndian
	if _, ok := segmentNumber(name, indexSuffix); ok && len(b) > indexHeader+4 {
		le.PutUint32(b[len(b)-4:], crc32.Checksum(b[:len(b)-4], castagnoli))
	}
	if _, ok := segmentNumber(name, logSuffix); ok && len(b) > headerSize {
		for at := headerSize; at+frameSize <= len(b); {
			size := int(readFrame(b[at:]).size)
			if size < frameSize || size > len(b)-at {
				break
			}
			seal(b[at:at+size], le.Uint32(b[16:]), uint32(at))
			at += padded(size)
		}
	}
	if name == manifestName {
		text, _, _ := bytes.Cut(b, []byte("\n"))
		return fmt.Appendf(bytes.Clone(text), "\ncrc32c %08x\n", crc32.Checksum(text, castagnoli))
	}
	return b
}
