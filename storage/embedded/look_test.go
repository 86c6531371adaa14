package embedded

import (
	"context"
	"slices"
	"strings"
	"testing"

	"zaqar/storage/embedded/disk"
)

// hasty is a file system whose first lists miss files that have just been made,
// as those of a directory that is changing may.
type hasty struct {
	disk.FS
	misses func(name string) bool
	lists  int
}

func (h *hasty) List(dir string) ([]string, error) {
	names, err := h.FS.List(dir)
	if h.lists--; h.lists >= 0 {
		names = slices.DeleteFunc(names, h.misses)
	}
	return names, err
}

// A list that misses the segments to which compaction has moved what was in
// others is not taken for the whole.
func TestLookListsAgain(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[1], 1, forever, 0, 100))
	w.turnPage(t, false)
	w.turnPage(t, false)
	head := w.head()
	must(t, w.store.Purge(context.Background(), boxes[2]))
	w.turnPage(t, true)
	w.turnPage(t, true)
	w.store.tend()
	must(t, w.store.Compact())
	if slices.Contains(w.files(t, logSuffix), segmentName(1)) {
		t.Fatal("the first message has not been moved")
	}
	tool := w.tool()
	files := &hasty{FS: w.disk, lists: 2 * (spareRounds + 1)}
	files.misses = func(name string) bool { // of each two lists, the first
		n, ok := segmentNumber(name, logSuffix)
		return ok && n > head && files.lists%2 == 1
	}
	tool.FS = files
	in, err := Inspect(t.Context(), tool, 0)
	must(t, err)
	if want := len(w.list1(t)); in.Messages != want || files.lists >= 0 {
		t.Errorf("%d messages, want %d", in.Messages, want)
	}
}

// A directory that never comes to rest is given up in the end, and a tool that
// is stopped stops.
func TestLookGivesUp(t *testing.T) {
	w := ready(t)
	files := &hasty{FS: w.disk, lists: 1 << 30}
	files.misses = func(name string) bool { return strings.HasSuffix(name, logSuffix) && files.lists%2 == 0 }
	tool := w.tool()
	tool.FS = files
	if _, err := Inspect(t.Context(), tool, 0); err == nil || !strings.Contains(err.Error(), "change faster") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Inspect(ctx, w.tool(), 0); err != context.Canceled {
		t.Errorf("stopped: %v", err)
	}
}

// A store without a spare segment is looked at as well.
func TestLookWithoutASpare(t *testing.T) {
	w := ready(t)
	w.does(t, post(boxes[0], 3, forever, 0, 100))
	w.disk.SetCapacity(w.disk.Used())
	w.turnPageWhenFull(t)
	if v := w.verified(t); !v.Clean || v.Messages < 3 {
		t.Errorf("%+v", v)
	}
}

// turnPageWhenFull fills the log until the spare is in use and there is no room
// for another.
func (w *world) turnPageWhenFull(t *testing.T) {
	t.Helper()
	for full := w.head(); w.head() == full; {
		if _, err := w.send(t, 500); err != nil {
			t.Fatal(err)
		}
	}
	w.store.tend()
	if w.store.journal.reserved() {
		t.Fatal("there is a spare")
	}
}
