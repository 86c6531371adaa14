package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk/faultdisk"
)

// placed is a record of a segment.
type placed struct {
	off uint32
	frame
	message // of a message record
}

// records lists the records of a segment.
func (w *world) records(t *testing.T, number uint32) (list []placed) {
	t.Helper()
	seg, err := openSegment(w.disk, "store", number)
	must(t, err)
	defer seg.file.Close()
	win := &window{seg: seg}
	for at := uint32(headerSize); ; {
		record, f, err := win.record(at)
		must(t, err)
		if record == nil {
			return list
		}
		p := placed{off: at, frame: f}
		if f.kind == recMessage {
			p.message, err = decodeMessage(f, slices.Clone(record[frameSize:]))
			must(t, err)
		}
		list = append(list, p)
		at += uint32(padded(int(f.size)))
	}
}

// busy is a store with one segment in which there is a record of every kind,
// each in a commit of its own; it is closed.
func busy(t *testing.T) *world {
	t.Helper()
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	w.size = 64 << 10
	must(t, w.open())
	in, out := boxes[0], boxes[1]
	w.does(t,
		control(0, 0, 5), post(in, 1, forever, 0, 300), post(in, 4, forever, 0, 200), post(out, 1, forever, 0, 50), post(in, 1, forever, 5, 20),
		claimSome(in, storage.Terms{TTL: 60, Limit: 3}), renew(0, storage.Terms{TTL: 90}), removeClaimed(0, 1), move(0, out, 0),
		claimSome(in, storage.Terms{TTL: 60, Limit: 1}), release(0), post(boxes[3], 1, forever, 0, 20), purge(boxes[3]),
		control(0, 1, 9), control(2, 1, 0), post(out, 2, forever, 0, 100), post(out, 1, forever, 0, 100))
	// A state record, as compaction writes it.
	q := w.store.lookup(out)
	e := q.chunks[0].entries[0]
	g, err := w.store.journal.submit(0, func(b []byte, _ uint64) []byte {
		return appendState(b, &state{queue: q.number, pos: e.pos, ttl: e.ttl, expires: e.expires})
	}, func(*segment, uint32) {}, nil)
	must(t, err)
	must(t, g.wait())
	w.does(t, post(out, 1, forever, 0, 10), post(out, 1, forever, 0, 10))
	must(t, w.close())
	return w
}

// A flipped bit in front of a commit is damage: it is reported with its place,
// what it hit is not served, everything else is, and nothing comes of it later.
func TestDamageInTheLastSegmentIsReported(t *testing.T) {
	w := busy(t)
	list := w.records(t, 1)
	kinds := map[recordType]bool{}
	lastCommit := 0
	for i, p := range list {
		kinds[p.kind] = true
		if p.kind == recCommit {
			lastCommit = i
		}
	}
	for kind := recCommit; kind <= recControl; kind++ {
		if !kinds[kind] {
			t.Fatalf("the store has no record of kind %d", kind)
		}
	}
	for i, p := range list[:lastCommit] {
		// the checksum, the size, the kind, the head, and something in the content
		for _, at := range []uint32{0, 5, 8, 10, frameSize + (p.size-frameSize)/2, p.size - 1} {
			what := fmt.Sprintf("record %d of kind %d at %d, byte %d", i, p.kind, p.off, at)
			again := w.on(w.disk.Clone())
			must(t, again.disk.FlipBit("store/"+segmentName(1), int64(p.off+at), 2))
			if err := again.open(); err != nil {
				t.Fatalf("%s: open: %v", what, err)
			}
			if d := again.store.Damage(); len(d) != 1 || d[0].Segment != 1 || d[0].Offset != p.off || d[0].Bytes != uint32(padded(int(p.size))) {
				t.Errorf("%s: reported as %+v, size %d", what, d, p.size)
			}
			othersServed(t, what, w, again, p)
			again.does(t, post(boxes[0], 1, forever, 0, 30)) // its id is a new one
			if err := again.again(seenOf(t, again)); err != nil {
				t.Errorf("%s: after another crash: %v", what, err)
			}
			_ = again.close()
		}
	}
}

func seenOf(t *testing.T, w *world) string {
	t.Helper()
	dump, err := w.dump()
	must(t, err)
	return dump
}

// othersServed checks that of all messages only the one in the damaged record is
// missing, and that bodies are what they were.
func othersServed(t *testing.T, what string, before, after *world, hit placed) {
	t.Helper()
	list := map[messaging.MessageID]bool{}
	for _, q := range boxes {
		found, err := after.store.Scan(context.Background(), q, everything)
		must(t, err)
		for i := range found {
			list[found[i].ID] = true
			if want, known := before.bodies[found[i].ID]; known && want != string(found[i].Body) {
				t.Errorf("%s: %s has the body %.40q", what, found[i].ID, found[i].Body)
			}
		}
	}
	for id := range before.eternal {
		n, _ := after.store.number(string(id))
		if !list[id] && !(hit.kind == recMessage && hit.id == n) {
			if hit.kind == recControl {
				continue // with its container a queue is gone
			}
			t.Errorf("%s: message %s is gone", what, id)
		}
	}
}

// Damage in the last commit cannot be told from one that a crash tore: it alone
// is lost.
func TestDamageInTheLastCommitCostsItAlone(t *testing.T) {
	w := busy(t)
	list := w.records(t, 1)
	last := list[len(list)-1]
	for at := range last.size {
		again := w.on(w.disk.Clone())
		must(t, again.disk.FlipBit("store/"+segmentName(1), int64(last.off+at), uint(at)%8))
		must(t, again.open())
		othersServed(t, fmt.Sprint("last record, byte ", at), w, again, last)
		if d := again.store.Damage(); len(d) > 0 {
			t.Errorf("reported as damage: %+v", d)
		}
		again.does(t, post(boxes[0], 1, forever, 0, 30))
		_ = again.close()
	}
}

// A damaged header costs nothing if there is an index; without one the segment
// is set aside, and the store goes on with the others.
func TestDamagedHeaders(t *testing.T) {
	w, bodies := aged(t)
	indexed := w.files(t, indexSuffix)
	asides := 0
	for _, name := range w.files(t, logSuffix) {
		number, _ := segmentNumber(name, logSuffix)
		records := len(w.records(t, number))
		hasIndex := slices.Contains(indexed, indexName(number))
		for off := range int64(headerSize) {
			again := w.on(w.disk.Clone())
			must(t, again.disk.FlipBit("store/"+name, off, uint(off)%8))
			must(t, again.open())
			_, err := again.disk.ReadFile("store/" + quarantineName + "/" + name)
			aside := err == nil
			if want := !hasIndex && records > 0; aside != want {
				t.Errorf("%s bit at %d: set aside: %v (%v), want %v", name, off, aside, err, want)
			}
			if d := again.store.Damage(); (len(d) == 1 && d[0].Segment == number && d[0].Bytes > 0 && strings.HasPrefix(d[0].Problem, "the header is damaged")) != (records > 0) {
				t.Errorf("%s bit at %d: reported as %+v", name, off, d)
			}
			found, err := again.store.Scan(t.Context(), boxes[0], everything)
			must(t, err)
			for i := range found {
				if bodies[found[i].ID] != string(found[i].Body) {
					t.Errorf("%s bit at %d: %s reads %s", name, off, found[i].ID, found[i].Body)
				}
			}
			if aside {
				asides++
			} else if len(found) != len(bodies) {
				t.Errorf("%s bit at %d: %d messages are left", name, off, len(found))
			}
			id, err := again.send(t, 100)
			must(t, err)
			if _, used := bodies[id]; used {
				t.Errorf("%s bit at %d: id %s is given out again", name, off, id)
			}
			must(t, again.close())
			must(t, again.open())
			if got := again.list(t); !slices.Contains(got, id) || len(got) != len(found)+1 {
				t.Errorf("%s bit at %d: after a restart %d messages, not %d", name, off, len(got), len(found)+1)
			}
			_ = again.close()
		}
	}
	if asides == 0 {
		t.Error("no segment was ever set aside")
	}
}

// Whatever part of whatever file becomes noise, or is cut off: the store opens
// or refuses, and serves nothing that was not posted.
func TestNoiseIsNeverServed(t *testing.T) {
	w, bodies := aged(t)
	names := slices.Concat(w.files(t, logSuffix), w.files(t, indexSuffix))
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		again := w.on(w.disk.Clone())
		name := "store/" + names[rng.IntN(len(names))]
		content, err := again.disk.ReadFile(name)
		must(t, err)
		from := rng.Int64N(int64(len(content)))
		n := min(1+rng.Int64N(2000), int64(len(content))-from)
		switch rng.IntN(3) {
		case 0:
			must(t, again.disk.Garble(name, from, n))
		case 1:
			f, err := again.disk.Open(name)
			must(t, err)
			_, err = f.WriteAt(make([]byte, n), from)
			must(t, err)
			must(t, f.Close())
		default:
			f, err := again.disk.Open(name)
			must(t, err)
			must(t, f.Truncate(from))
			must(t, f.Close())
		}
		if err := again.open(); err != nil {
			t.Errorf("seed %d: %s, %d bytes at %d: %v", seed, name, n, from, err)
			continue
		}
		for range 2 {
			found, err := again.store.Scan(t.Context(), boxes[0], everything)
			must(t, err)
			for i := range found {
				if bodies[found[i].ID] != string(found[i].Body) {
					t.Errorf("seed %d: %s, %d bytes at %d: %s reads %.30s", seed, name, n, from, found[i].ID, found[i].Body)
				}
			}
			if strings.HasSuffix(name, indexSuffix) && len(found) != len(bodies) {
				t.Errorf("seed %d: %s, %d bytes at %d: %d messages", seed, name, n, from, len(found))
			}
			// What is left is what compaction carries and a restart finds.
			must(t, again.store.Compact())
			again.store.tend()
			must(t, again.close())
			must(t, again.open())
			if got := again.list(t); len(got) != len(found) {
				t.Errorf("seed %d: %s, %d bytes at %d: %d messages, after a restart %d", seed, name, n, from, len(found), len(got))
			}
		}
		_ = again.close()
	}
}

// FuzzReplay recovers a log of records that are whole, and whose content is
// anybody's: decoders accept all sorts of things, and none may bring the store
// down.
func FuzzReplay(f *testing.F) {
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	w.size = 64 << 10
	must(f, w.open())
	must(f, w.close())
	m := message{queue: 1, id: 2, pos: 2, posted: w.now, ttl: 4, expires: expiry(w.now, 4), poster: []byte("someone"), body: []byte("{}"), last: true}
	all := appendControl(nil, []edit{{table: tableContainers, key: queueKey(boxes[0]), value: encodeControl(uint64(1))}})
	all = appendMessage(all, &m)
	all = appendOperation(all, &operation{kind: recClaim, queue: 1, claim: 4, now: w.now, ttl: 9, targets: []target{{2, 1}}})
	f.Add(all)
	m.pos, m.claims, m.claim, m.claimTTL = 9, 1, 8, 7
	all = appendMessage(nil, &m)
	all = appendState(all, &state{queue: 1, pos: 9, expires: w.now, claim: 5, claimTTL: 5})
	all = appendOperation(all, &operation{kind: recMove, queue: 1, to: 1, targets: []target{{9, 1}}, places: []place{{9, 9, 3, 4}}})
	all = appendOperation(all, &operation{kind: recPurge, queue: 1, to: 1 << 40, targets: []target{{9, 1}}})
	f.Add(all)
	f.Add(appendControl(nil, []edit{{table: tableQueues, key: "k", value: []byte("{}")}, {table: tablePools, erase: true, key: "x", olds: []uint32{1}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 32<<10 {
			return
		}
		again := w.on(w.disk.Clone())
		seg, err := openSegment(again.disk, "store", 1)
		must(t, err)
		// A commit, then what there is, cut into records as their sizes say.
		log, at := beginRecord(nil, recCommit, 0)
		log = endRecord(append(log, 9, 0, 0, 0, 0, 0, 0, 0), at)
		log = append(log, b...)
		for at := 0; at+frameSize <= len(log); {
			f := readFrame(log[at:])
			size := min(max(int(f.size), frameSize), len(log)-at)
			log[at+4], log[at+5], log[at+6], log[at+7] = byte(size), byte(size>>8), byte(size>>16), 0
			log[at+8] = byte(recCommit) + (log[at+8]-1)%byte(recControl)
			seal(log[at:at+size], seg.salt, headerSize+uint32(at))
			at += padded(size)
		}
		_, err = seg.file.WriteAt(log, headerSize)
		must(t, err)
		must(t, seg.file.Sync())
		must(t, seg.file.Close())
		if err := again.open(); err != nil {
			return // refused
		}
		defer again.close()
		_, _ = again.dump()
		for _, a := range []act{post(boxes[0], 1, forever, 0, 10), claimSome(boxes[0], storage.Terms{TTL: 9, Limit: 9}), pop(boxes[0], 3), compact, tend, sweep} {
			_ = a.do(again)
		}
		_, _ = again.dump()
	})
}

// A hole in a full segment is no end of it, however large.
func TestHolesInFullSegmentsAreReported(t *testing.T) {
	w := newWorld(faultdisk.New(faultdisk.Config{}))
	w.size = 16 << 20
	must(t, w.open())
	w.does(t, tend)
	for w.head() == 1 {
		w.does(t, post(boxes[0], 1, forever, 0, 500_000))
	}
	must(t, w.close())
	hole := w.records(t, 1)[9].off
	f, err := w.disk.Open("store/" + segmentName(1))
	must(t, err)
	_, err = f.WriteAt(make([]byte, lookahead+1<<20), int64(hole))
	must(t, errors.Join(err, f.Close()))
	must(t, w.open())
	t.Cleanup(func() { _ = w.close() })
	if d := w.store.Damage(); len(d) != 1 || d[0].Offset != hole || d[0].Bytes < lookahead {
		t.Errorf("reported as %+v", d)
	}
	found, err := w.store.Scan(t.Context(), boxes[0], everything)
	must(t, err)
	if n := len(w.posted); len(found) >= n || found[len(found)-1].ID != w.posted[n-1].id || len(found) < n-12 {
		t.Errorf("%d of %d messages are served", len(found), n)
	}
}
