package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"zaqar/messaging"
	"zaqar/storage/embedded/disk"
)

// Info is what there is to know of a store from outside. Sizes are bytes.
type Info struct {
	Dir      string    `json:"dir"`
	Format   int       `json:"format"`
	Store    string    `json:"store"`             // its identity: how every id in it begins
	Backup   string    `json:"backup,omitempty"`  // when it was made, if this is a backup that was never opened
	Refused  string    `json:"refused,omitempty"` // why no start takes it: it is a backup that is not whole
	Failed   bool      `json:"failed"`            // a disk error has ended its writing
	At       time.Time `json:"at"`                // the instant for which messages are counted
	Queues   int       `json:"queues"`            // and topics
	Messages int       `json:"messages"`
	Claimed  int       `json:"claimed"`
	Delayed  int       `json:"delayed"`
	Parts    int       `json:"notifications"` // kept for subscribers: in outboxes, waiting for another try, given up
	Oldest   *Oldest   `json:"oldest,omitempty"`
	Space    DiskUse   `json:"space"`

	Projects   []ProjectInfo `json:"projects"`           // most bytes first
	PerQueue   []QueueInfo   `json:"per_queue,omitzero"` // if asked for: most bytes first
	Damage     []Damage      `json:"damage"`             // found while reading; Verify finds all
	Damaged    []string      `json:"damaged_segments"`   // known to have damage
	Quarantine []FileInfo    `json:"quarantine"`         // segments that were set aside
}

// Oldest is the message that was posted first of all that are there.
type Oldest struct {
	Project messaging.Project `json:"project"`
	Queue   string            `json:"queue"`
	Message string            `json:"message"`
	Posted  time.Time         `json:"posted"`
}

// DiskUse is what takes the store's space on its disk.
type DiskUse struct {
	Segments   int   `json:"segments"`   // in use
	Live       int64 `json:"live"`       // messages, and records of queues, subscriptions and the like
	Needed     int64 `json:"needed"`     // records that older segments cannot do without
	Dead       int64 `json:"dead"`       // what compaction can give back, in time
	Reserved   int64 `json:"reserved"`   // made ready for what comes
	Index      int64 `json:"index"`      // index files
	Quarantine int64 `json:"quarantine"` // segments that were set aside
	Disk       int64 `json:"disk"`       // all of it together
	Free       int64 `json:"free_on_disk"`
}

// ProjectInfo sums up the queues of a project.
type ProjectInfo struct {
	Project  messaging.Project `json:"project"`
	Queues   int               `json:"queues"`
	Messages int               `json:"messages"`
	Claimed  int               `json:"claimed"`
	Parts    int               `json:"notifications"` // kept for subscribers
	Bytes    int64             `json:"bytes"`         // that all of them take in the log
}

// QueueInfo is one queue or topic.
type QueueInfo struct {
	Project  messaging.Project `json:"project"`
	Queue    string            `json:"queue"`
	Topic    bool              `json:"topic,omitempty"`
	Messages int               `json:"messages"`
	Claimed  int               `json:"claimed"`
	Delayed  int               `json:"delayed"`
	Parts    int               `json:"notifications"`    // kept for subscribers
	Bytes    int64             `json:"bytes"`            // that all of them take in the log
	Oldest   *time.Time        `json:"oldest,omitempty"` // when the oldest message was posted
}

// FileInfo is a file and its size.
type FileInfo struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// AllQueues as the number of queues asks for every one.
const AllQueues = math.MaxInt

// Inspect tells what is in the store in t.Dir, which may be stopped or in use.
// It reads what a start reads, takes as much memory for it and changes nothing.
// With queues it lists so many of them, those that take most space.
func Inspect(ctx context.Context, t Tool, queues int) (_ *Info, err error) {
	sn, err := t.look(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sn.close()) }()
	if sn.unknown != nil {
		return nil, sn.unknown
	}
	if err := t.replay(ctx, sn); err != nil {
		return nil, err
	}
	in := &Info{Dir: t.Dir, Format: formatVersion, Store: fmt.Sprintf("%08x", sn.epoch), At: time.UnixMilli(sn.at).UTC(),
		Failed:   slices.Contains(sn.names, failedName),
		Projects: []ProjectInfo{}, Damage: []Damage{}, Damaged: []string{}, Quarantine: []FileInfo{}}
	m, err := readManifest(sn.fs, sn.dir)
	if m != nil {
		in.Backup = m.Made.Format(time.RFC3339)
		err = m.fits(sn.recovery, sn.names)
	}
	if err != nil {
		in.Refused = err.Error()
	}
	in.count(sn, queues)
	in.Damage = append(in.Damage, sn.damage...)
	for _, seg := range sn.open {
		if seg.damaged.Load() {
			in.Damaged = append(in.Damaged, segmentName(seg.number))
		}
	}
	return in, in.measure(sn)
}

// count fills in what there is of queues and messages.
func (in *Info) count(sn *snapshot, limit int) {
	all := sn.queueInfos()
	projects := make(map[messaging.Project]*ProjectInfo)
	var first *tally
	for _, q := range all {
		p := projects[q.Project]
		if p == nil {
			p = &ProjectInfo{Project: q.Project}
			projects[q.Project] = p
		}
		p.Queues++
		p.Messages += q.Messages
		p.Claimed += q.Claimed
		p.Parts += q.Parts
		p.Bytes += q.Bytes
		in.Queues++
		in.Messages += q.Messages
		in.Claimed += q.Claimed
		in.Delayed += q.Delayed
		in.Parts += q.Parts
		if q.Messages > 0 && (first == nil || q.id < first.id) {
			first = q
		}
	}
	for _, p := range projects {
		in.Projects = append(in.Projects, *p)
	}
	slices.SortFunc(in.Projects, func(a, b ProjectInfo) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Project, b.Project))
	})
	if first != nil {
		in.Oldest = &Oldest{Project: first.Project, Queue: first.Queue, Message: sn.id(first.id)}
		if posted, ok := sn.posted(first); ok {
			in.Oldest.Posted = posted
		}
	}
	if limit > 0 {
		in.PerQueue = []QueueInfo{}
	}
	slices.SortFunc(all, func(a, b *tally) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Project, b.Project), cmp.Compare(a.Queue, b.Queue))
	})
	for _, q := range all[:min(len(all), limit)] {
		if posted, ok := sn.posted(q); ok {
			q.Oldest = &posted
		}
		in.PerQueue = append(in.PerQueue, q.QueueInfo)
	}
}

// tally is a queue with its oldest message.
type tally struct {
	QueueInfo
	id     uint64
	oldest entry
}

// queueInfos counts the messages of every queue, and those in its parts.
func (sn *snapshot) queueInfos() []*tally {
	found := make(map[messaging.QueueRef]*tally)
	of := func(ref messaging.QueueRef) *tally {
		t := found[ref.Whole()]
		if t == nil {
			t = &tally{QueueInfo: QueueInfo{Project: ref.Project, Queue: ref.Name, Topic: ref.Topic}}
			found[ref.Whole()] = t
		}
		return t
	}
	for ref := range sn.control.queues {
		of(ref)
	}
	for ref, q := range sn.queues {
		q.each(0, func(c *chunk, i int) bool {
			if e := &c.entries[i]; ref.Part == "" {
				of(ref).add(e, q.identity(e))
			} else {
				of(ref).Parts++
				of(ref).Bytes += int64(padded(int(e.size)))
			}
			return true
		})
	}
	return slices.Collect(maps.Values(found))
}

func (t *tally) add(e *entry, id uint64) {
	if t.Messages == 0 || id < t.id {
		t.id, t.oldest = id, *e
	}
	t.Messages++
	t.Bytes += int64(padded(int(e.size)))
	if e.claim != 0 {
		t.Claimed++
	}
	if e.flags&entryDelayed != 0 {
		t.Delayed++
	}
}

// posted reads when the oldest message of the queue was posted.
func (sn *snapshot) posted(t *tally) (time.Time, bool) {
	seg := sn.segment(t.oldest.seg)
	if t.Messages == 0 || seg == nil {
		return time.Time{}, false
	}
	b := make([]byte, min(t.oldest.size, frameSize+math.MaxUint16))
	if len(b) < frameSize || seg.read(b, t.oldest.off) != nil {
		return time.Time{}, false
	}
	m, err := decodeMessage(readFrame(b), b[frameSize:])
	if err != nil || m.id != t.id {
		return time.Time{}, false
	}
	return time.UnixMilli(m.posted).UTC(), true
}

// measure fills in what takes the space.
func (in *Info) measure(sn *snapshot) error {
	sp := &in.Space
	sp.Segments = len(sn.open)
	var log int64 // size of the segment files
	for _, seg := range slices.Concat(sn.open, sn.unused) {
		size, err := seg.file.Size()
		if err != nil {
			return err
		}
		log += size
	}
	var used int64
	for _, seg := range sn.open {
		_, needed := sn.needed(seg)
		sp.Live += seg.live.Load()
		sp.Needed += needed
		used += int64(seg.size)
	}
	sp.Dead = max(0, used-sp.Live-sp.Needed)
	sp.Reserved = max(0, log-used)
	for _, name := range sn.names {
		if _, ok := segmentNumber(name, indexSuffix); ok {
			sp.Index += sizeOf(sn.fs, sn.dir+"/"+name)
		}
	}
	if slices.Contains(sn.names, quarantineName) {
		aside := sn.dir + "/" + quarantineName
		names, err := sn.fs.List(aside)
		if err != nil {
			return err
		}
		for _, name := range names {
			f := FileInfo{name, sizeOf(sn.fs, aside+"/"+name)}
			in.Quarantine = append(in.Quarantine, f)
			sp.Quarantine += f.Bytes
		}
	}
	sp.Disk = log + sp.Index + sp.Quarantine
	free, err := sn.fs.Free(sn.dir)
	sp.Free = int64(min(free, math.MaxInt64))
	return err
}

// sizeOf returns the size of a file, 0 if it cannot be told.
func sizeOf(fsys disk.FS, name string) int64 {
	f, err := fsys.Open(name)
	if err != nil {
		return 0
	}
	size, err := f.Size()
	if errors.Join(err, f.Close()) != nil {
		return 0
	}
	return size
}
