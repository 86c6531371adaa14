package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"

	"zaqar/messaging"
	"zaqar/storage/embedded/disk"
)

// commit makes the group durable and applies it, or aborts it.
func (j *journal) commit(g *group) {
	if len(g.buf) == commitSize { // barriers only
		close(g.done)
		return
	}
	if err := j.rotate(int64(len(g.buf))); err != nil {
		j.fail(g, err, false) // nothing was written: a later try may find room
		return
	}
	seg := j.active
	base := seg.size
	j.finish(g, seg, base)
	begun := j.now()
	if final, err := j.write(seg, g.buf, base); err != nil {
		j.fail(g, err, final)
		return
	}
	took := j.now().Sub(begun)
	j.mu.Lock()
	j.turns.measure(took)
	j.mu.Unlock()
	seg.size = base + uint32(len(g.buf))
	j.bytes.Add(int64(len(g.buf)))
	j.batches.Observe(int64(len(g.ops)))
	for _, op := range g.ops {
		op.apply(seg, base+op.at)
	}
	for _, full := range j.filled {
		full.sealed.Store(true)
		j.onSeal(full)
	}
	j.filled = j.filled[:0]
	close(g.done)
}

// finish fills in the commit record, seals every record for its place and
// copies their heads to the index of the segment.
func (j *journal) finish(g *group, seg *segment, base uint32) {
	b, at := beginRecord(g.buf[:0], recCommit, 0)
	b = binary.LittleEndian.AppendUint64(b, g.next)
	endRecord(b, at)
	for at := 0; at < len(g.buf); {
		f := readFrame(g.buf[at:])
		record := g.buf[at : at+int(f.size)]
		seal(record, seg.salt, base+uint32(at))
		seg.index = appendIndexEntry(seg.index, base+uint32(at), f, record)
		at += padded(int(f.size))
	}
}

// write writes and syncs. A full disk is undone and survived; any other
// failure is final, because what is on disk is then unknown.
func (j *journal) write(seg *segment, b []byte, at uint32) (final bool, err error) {
	_, err = seg.file.WriteAt(b, int64(at))
	if err == nil {
		j.writeAhead(seg, int64(at), len(b))
		begun := j.now()
		if err = seg.file.Sync(); err == nil {
			j.syncs.Observe(int64(j.now().Sub(begun)))
			return false, nil
		}
		return true, errFailed(err)
	}
	if !errors.Is(err, disk.ErrFull) {
		return true, errFailed(err)
	}
	j.ahead = 0
	if terr := seg.file.Truncate(int64(at)); terr != nil {
		return true, errFailed(errors.Join(err, terr))
	}
	// Truncation gave up what was reserved; without it less can be promised to
	// claims and deletes, but nothing is wrong.
	_ = seg.file.Allocate(0, j.segSize)
	return false, messaging.Wrap(messaging.Unavailable, "The store is full: there is no room on its disk.", err)
}

// A sync of blocks that were allocated but never written makes the file system
// note in its own journal that they hold data now, which takes as long as the
// sync itself. So while groups are small, one that comes to such blocks writes
// zeros behind itself, where there are zeros already, and the groups after it
// find the noting done. For larger groups it would only double the bytes
// written.
const (
	aheadGroup = 12 << 10  // up to this size groups are small
	aheadBytes = 128 << 10 // and this much is written ahead
)

var blank [aheadBytes]byte

// writeAhead is called between writing and syncing n bytes at offset at.
func (j *journal) writeAhead(seg *segment, at int64, n int) {
	j.usual += (n - j.usual) / 8
	end := at + int64(n)
	if end <= j.ahead {
		return
	}
	j.ahead = end
	if to := min(end+aheadBytes, j.segSize); j.usual <= aheadGroup && to > end {
		if _, err := seg.file.WriteAt(blank[:to-end], end); err == nil {
			j.ahead = to
		}
	}
}

// fail aborts the group and everything submitted behind it, latest first, as
// it may build on what did not happen. If the failure is final, all later
// calls are refused; if not, what adds data is until the keeper finds room.
func (j *journal) fail(g *group, err error, final bool) {
	if final {
		j.noteFailure()
	}
	j.full.Store(true)
	j.mu.Lock()
	j.refusal = err
	behind := j.gathering
	j.gathering = j.newGroup(nil, nil)
	j.space.Broadcast()
	j.turns.release()
	j.mu.Unlock()

	groups := []*group{behind, g}
	for _, failed := range groups {
		for i := len(failed.ops) - 1; i >= 0; i-- {
			if abort := failed.ops[i].abort; abort != nil {
				abort()
			}
		}
	}
	j.dropIndexTail(j.active)
	if !final { // before anybody is told, and tries again
		j.mu.Lock()
		if !j.closing {
			j.refusal = nil
		}
		j.mu.Unlock()
	}
	for _, failed := range groups {
		failed.err = err
		close(failed.done)
	}
}

// noteFailure leaves word for the next start in this life of the system, which
// may find in its cache what is not on disk. After a power cut it is not needed
// and may be gone.
func (j *journal) noteFailure() {
	if f, err := j.fs.Create(j.dir + "/" + failedName); err == nil {
		_, _ = f.WriteAt([]byte(failureMark(j.active.number, j.active.size)), 0)
		_ = f.Close()
	}
}

// failureMark says which commit could not be written.
func failureMark(segment, offset uint32) string { return fmt.Sprintf("%d %d\n", segment, offset) }

// dropIndexTail removes the index entries of a group that was not written.
func (j *journal) dropIndexTail(seg *segment) { seg.index = trimIndex(seg.index, seg.size) }
