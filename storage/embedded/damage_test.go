package embedded

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// aged is a closed store of many small segments; the bodies of its messages
// by id.
func aged(t *testing.T) (*world, map[messaging.MessageID]string) {
	t.Helper()
	w := faulty(t, smallestSize)
	bodies := make(map[messaging.MessageID]string)
	for i := range 60 {
		body := fmt.Sprintf("%q", fmt.Sprint("message ", i, strings.Repeat(".", 200)))
		put, err := w.store.Append(t.Context(), boxes[0], clients[i%3], []messaging.Draft{{TTL: 100_000, Body: []byte(body)}}, storage.AppendOptions{})
		ids := put.IDs
		must(t, err)
		bodies[ids[0]] = body
	}
	w.store.tend()
	must(t, w.close())
	return w, bodies
}

// files lists the store's directory.
func (w *world) files(t *testing.T, suffix string) []string {
	t.Helper()
	names, err := w.disk.List("store")
	must(t, err)
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasSuffix(n, suffix) })
}

// Whatever bit flips: nothing but what was posted is ever served, what is not
// near the flip is served, and a store that is used again goes on.
func TestFlippedBitsAreNeverServed(t *testing.T) {
	pristine, bodies := aged(t)
	lost, refused := 0, 0
	for _, name := range slices.Concat(pristine.files(t, logSuffix), pristine.files(t, indexSuffix), []string{formatName}) {
		content, err := pristine.disk.ReadFile("store/" + name)
		must(t, err)
		used := len(bytes.TrimRight(content, "\x00"))
		for off := int64(0); off < int64(used); off += 1 + int64(used)/40 {
			w := pristine.on(pristine.disk.Clone())
			must(t, w.disk.FlipBit("store/"+name, off, uint(off)%8))
			if err := w.open(); err != nil {
				refused++
				if name != formatName {
					t.Errorf("%s bit at %d: the store does not open: %v", name, off, err)
				}
				continue
			}
			found, err := w.store.Scan(t.Context(), boxes[0], everything)
			must(t, err)
			for _, m := range found {
				if bodies[m.ID] != string(m.Body) {
					t.Errorf("%s bit at %d: message %s reads %s", name, off, m.ID, m.Body)
				}
			}
			if n := len(bodies) - len(found); n > 0 {
				lost++
				if n > 20 {
					t.Errorf("%s bit at %d: %d messages are gone", name, off, n)
				}
				if name == formatName || strings.HasSuffix(name, indexSuffix) {
					t.Errorf("%s bit at %d: messages are gone", name, off)
				}
			}
			if _, err := w.send(t, 100); err != nil {
				t.Errorf("%s bit at %d: post: %v", name, off, err)
			}
			must(t, w.close())
		}
	}
	if lost == 0 || refused == 0 {
		t.Errorf("flips lost messages %d times and refused the store %d times: they do not reach everywhere", lost, refused)
	}
}

// A segment that is damaged is kept aside when its time has come.
func TestDamagedSegmentIsQuarantined(t *testing.T) {
	w, bodies := aged(t)
	first := w.files(t, logSuffix)[0]
	must(t, w.disk.FlipBit("store/"+first, 600, 3))
	must(t, w.open())
	found, err := w.store.Scan(t.Context(), boxes[0], everything)
	must(t, err)
	if len(found) != len(bodies)-1 {
		t.Fatalf("%d of %d messages are served, want all but one", len(found), len(bodies))
	}
	must(t, w.store.Purge(t.Context(), boxes[0]))
	for range 10 { // the removals themselves fill segments
		_, err := w.send(t, 1000)
		must(t, err)
		w.store.tend()
	}
	must(t, w.store.Compact())
	if slices.Contains(w.files(t, logSuffix), first) {
		t.Fatalf("%s is still in use", first)
	}
	if _, err := w.disk.ReadFile("store/" + quarantineName + "/" + first); err != nil {
		t.Errorf("the damaged segment was deleted: %v", err)
	}
}

func TestIndexFilesCanBeMissing(t *testing.T) {
	w, bodies := aged(t)
	for _, name := range w.files(t, indexSuffix) {
		must(t, w.disk.Remove("store/"+name))
	}
	must(t, w.open())
	if got := w.list(t); len(got) != len(bodies) {
		t.Errorf("%d of %d messages", len(got), len(bodies))
	}
	w.store.tend()
	if len(w.files(t, indexSuffix)) == 0 {
		t.Error("the index files were not made again")
	}
}

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	for what, c := range map[string]struct{ file, content, says string }{
		"another format":    {formatName, `{"format":2,"store":"8a8a8a8a"}`, "format 2"},
		"no JSON":           {formatName, `hello`, formatName + " is no identity of a store"},
		"no identity":       {formatName, `{"format":1,"store":"xyz"}`, formatName},
		"segments, nothing": {formatName, "", formatName},
	} {
		t.Run(what, func(t *testing.T) {
			w, _ := aged(t)
			must(t, w.disk.Remove("store/"+c.file))
			if c.content != "" {
				must(t, replaceFile(w.disk, "store", "store/"+c.file, []byte(c.content)))
			}
			err := w.open()
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("open: %v, want it to speak of %s", err, c.says)
			}
			if len(w.files(t, logSuffix)) == 0 {
				t.Error("a store that was refused was changed")
			}
		})
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	w, _ := aged(t)
	for _, name := range []string{"notes.txt", "1.log", "00000000xx.log", "lost+found"} {
		must(t, replaceFile(w.disk, "store", "store/"+name, []byte("mine")))
	}
	must(t, w.open())
	must(t, w.close())
	for _, name := range []string{"notes.txt", "1.log", "00000000xx.log", "lost+found"} {
		if b, err := w.disk.ReadFile("store/" + name); err != nil || string(b) != "mine" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

var update = flag.Bool("update", false, "write the files that tests compare with")

// A store of format 1, as some version wrote it, reads the same for ever:
// testdata/format1.txt holds its files, and what can be seen of it.
func TestFormatOneReadsTheSame(t *testing.T) {
	const golden = "testdata/format1.txt"
	if *update {
		w := faulty(t, smallestSize)
		if _, err := w.run(everyAct()); err != nil {
			t.Fatal(err)
		}
		must(t, w.close())
		writeGolden(t, golden, w)
	}
	b, err := os.ReadFile(golden)
	must(t, err)
	files, want, _ := strings.Cut(string(b), "\n\n")
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	must(t, w.disk.MkdirAll("store"))
	for line := range strings.Lines(files) {
		fields := strings.Fields(line)
		if fields[0] == "now" {
			w.now, err = strconv.ParseInt(fields[1], 10, 64)
			must(t, err)
			continue
		}
		content, err := hex.DecodeString(fields[1])
		must(t, err)
		must(t, replaceFile(w.disk, "store", "store/"+fields[0], content))
	}
	must(t, w.open())
	t.Cleanup(func() { _ = w.close() })
	if got := w.seen(t); got != want {
		t.Errorf("the store reads\n%s\nwant\n%s", got, want)
	}
}

func writeGolden(t *testing.T, name string, w *world) {
	t.Helper()
	var out strings.Builder
	fmt.Fprintf(&out, "now %d\n", w.now)
	for _, f := range slices.Concat([]string{formatName}, w.files(t, logSuffix), w.files(t, indexSuffix)) {
		content, err := w.disk.ReadFile("store/" + f)
		must(t, err)
		fmt.Fprintf(&out, "%s %x\n", f, bytes.TrimRight(content, "\x00"))
	}
	must(t, w.open())
	must(t, os.MkdirAll("testdata", 0o755))
	must(t, os.WriteFile(name, []byte(out.String()+"\n"+w.seen(t)), 0o644))
}

// seen is what the store shows to a client that remembers nothing.
func (w *world) seen(t *testing.T) string {
	t.Helper()
	all, err := w.dump()
	must(t, err)
	return strings.Join(slices.DeleteFunc(lines(all), func(line string) bool { return strings.HasPrefix(line, "  by id:") }), "\n")
}

func FuzzRecords(f *testing.F) {
	m := message{queue: 1, id: 2, pos: 2, posted: 3, ttl: 4, expires: expiry(3, 4), poster: []byte("someone"), body: []byte("{}"), last: true}
	f.Add(appendMessage(nil, &m))
	m.pos, m.claims, m.claim, m.key, m.sum, m.available = 9, 1, 8, "k", "MD5:0", 77
	f.Add(appendMessage(nil, &m))
	f.Add(appendOperation(nil, &operation{kind: recMove, queue: 1, targets: []target{{5, 6}}, places: []place{{1, 2, 3, 4}}}))
	f.Add(appendOperation(nil, &operation{kind: recClaim, queue: 1, claim: 4, targets: []target{{5, 6}}, spent: []target{{7, 8}}}))
	f.Add(appendState(nil, &state{queue: 1, pos: 2}))
	f.Add(appendControl(nil, []edit{{table: tableQueues, key: "k", value: []byte("{}")}, {table: tablePools, erase: true, key: "x", olds: []uint32{1}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < frameSize {
			return
		}
		fr := readFrame(b)
		content := b[frameSize:]
		// What a decoder accepts, it must write again so that it reads the same.
		if m, err := decodeMessage(fr, content); err == nil && fr.kind == recMessage && fr.size == uint32(len(b)) {
			again, err := decodeMessage(readFrame(appendMessage(nil, &m)), appendMessage(nil, &m)[frameSize:])
			if err != nil || again.id != m.id || again.pos != m.pos || again.expires != m.expires || !bytes.Equal(again.poster, m.poster) {
				t.Errorf("%+v became %+v, %v", m, again, err)
			}
		}
		fr.kind = recMove
		_, _ = decodeOperation(fr, content)
		fr.kind = recClaim
		_, _ = decodeOperation(fr, content)
		_, _ = decodeState(content)
		_, _ = decodeControl(content)
		_, _, _, _, _ = indexEntry(b)
	})
}

// FuzzSegment opens a store whose only segment has bytes of anybody's making
// behind its header.
func FuzzSegment(f *testing.F) {
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	if err := w.open(); err != nil {
		f.Fatal(err)
	}
	_, err := w.store.Append(f.Context(), boxes[0], clients[0], []messaging.Draft{{TTL: 100, Body: []byte(`{"a":1}`)}, {TTL: 100, Body: []byte(`2`)}}, storage.AppendOptions{})
	must(f, err)
	_, err = w.store.Claim(f.Context(), boxes[0], storage.Terms{TTL: 60, Limit: 1})
	must(f, err)
	must(f, w.close())
	names, err := w.disk.List("store")
	must(f, err)
	var name string
	for _, n := range names {
		if strings.HasSuffix(n, logSuffix) && name == "" {
			name = "store/" + n
		}
	}
	content, err := w.disk.ReadFile(name)
	must(f, err)
	f.Add(bytes.TrimRight(content[headerSize:], "\x00"), uint16(0))
	f.Add([]byte("garbage"), uint16(100))
	f.Fuzz(func(t *testing.T, b []byte, at uint16) {
		if len(b) > smallestSize {
			return
		}
		other := w.on(w.disk.Clone())
		file, err := other.disk.Open(name)
		must(t, err)
		_, err = file.WriteAt(b, headerSize+int64(at)%smallestSize)
		must(t, errors.Join(err, file.Sync(), file.Close()))
		if err := other.open(); err != nil {
			return // refused: nothing is served
		}
		found, err := other.store.Scan(t.Context(), boxes[0], everything)
		must(t, err)
		for _, m := range found {
			if s := string(m.Body); s != `{"a":1}` && s != "2" {
				t.Errorf("served %q, which nobody posted", s)
			}
		}
		must(t, other.close())
	})
}
