package embedded

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/internal/histogram"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/embedded/disk"
)

// Config tunes a store. The zero value means the defaults.
type Config struct {
	// SegmentSize is the size of a log segment in bytes; 64 MiB if 0. Two are
	// reserved on disk at any time. It may change between starts.
	SegmentSize int64
	// FS is the file system; the operating system's if nil.
	FS disk.FS
	// SweepEvery is how often expired messages are reclaimed and sparse
	// segments compacted; 1 s if 0, never if negative.
	SweepEvery time.Duration
}

// Store is an open store. It implements storage.Data and storage.Control.
type Store struct {
	fs      disk.FS
	dir     string
	env     storage.Env
	log     *slog.Logger
	config  Config
	epoch   uint32 // of the ids given out, random per store
	seed    maphash.Seed
	lock    io.Closer
	journal *journal
	keys    keyTable
	control controlPlane

	segmu    sync.Mutex // serialises changes of segments
	segments atomic.Pointer[map[uint32]*segment]

	queuemu  sync.RWMutex
	queues   map[messaging.QueueRef]*queue
	numbers  map[uint64]*queue              // the same by number in the log
	projects map[messaging.Project]*account // of projects with queues
	movedmu  sync.Mutex
	moved    map[uint64]*queue // id -> queue of messages that were moved
	strays   strays
	appends  sync.Pool // of *appending

	watchmu sync.Mutex
	watches heap[*account]

	swept, told counts // since the store was opened, and how much of it Sweep has told
	unreadable  atomic.Int64
	damage      []Damage

	restored bool // while opening: from a backup

	compacting           sync.Mutex         // one compaction at a time
	rewriting            atomic.Bool        // a segment is being rewritten
	rewritten            atomic.Int64       // bytes compaction has written
	unlinkFailed         bool               // under compacting: no more segments are removed
	looked, lookedBefore map[*segment]int64 // under compacting: live bytes, see look

	toldFull  bool // of the keeper: the log says that the store is full
	closing   chan struct{}
	seals     chan struct{} // capacity 1: there is work for the keeper
	grown     chan struct{} // capacity 1: a segment is full
	working   sync.WaitGroup
	closeOnce sync.Once
	closed    atomic.Bool
	closeErr  error
}

// Damage is a stretch of the log that recovery found unreadable though it had
// been written completely.
type Damage struct {
	Segment uint32 `json:"segment"`
	Offset  uint32 `json:"offset"`
	Bytes   uint32 `json:"bytes"`
	Problem string `json:"problem"` // what is wrong with them
}

// What is wrong with a segment of which the header is damaged.
const (
	headerReplaced = "the header is damaged; the index stands in for it"
	headerLost     = "the header is damaged and there is no index to stand in for it: nothing in the file can be read, and the next start sets it aside"
	bytesUnread    = "the disk cannot read these bytes"
)

const (
	lockName       = "LOCK"
	formatName     = "FORMAT"
	failedName     = "FAILED"
	quarantineName = "quarantine"
	defaultSegment = 64 << 20
	smallestSize   = 4 << 10
)

// Open opens the store in dir, which it creates if it is missing, and recovers
// what the log holds. It fails if another process has it open, if the format
// is one this version does not read, or if the disk has no room for the
// segments it must reserve.
func Open(dir string, c Config, env storage.Env) (*Store, error) {
	s, err := open(dir, c, env)
	if err != nil {
		return nil, err
	}
	s.working.Add(1)
	go s.keep()
	s.kick()
	if s.config.SweepEvery > 0 {
		s.working.Add(1)
		go s.housekeep()
	}
	return s, nil
}

// open opens a store that does no work of its own accord.
func open(dir string, c Config, env storage.Env) (*Store, error) {
	s, err := newStore(dir, c, env)
	if err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.abandon())
	}
	return s, nil
}

// newStore returns a store that has not looked at its directory yet.
func newStore(dir string, c Config, env storage.Env) (*Store, error) {
	if c.SegmentSize == 0 {
		c.SegmentSize = defaultSegment
	}
	if c.SegmentSize < smallestSize || c.SegmentSize > 1<<30 {
		return nil, fmt.Errorf("segment size %d is not between %d and %d bytes", c.SegmentSize, smallestSize, 1<<30)
	}
	if c.FS == nil {
		c.FS = disk.OS()
	}
	if c.SweepEvery == 0 {
		c.SweepEvery = time.Second
	}
	s := &Store{
		fs: c.FS, dir: dir, env: env, log: env.Log, config: c, seed: maphash.MakeSeed(),
		queues: make(map[messaging.QueueRef]*queue), numbers: make(map[uint64]*queue),
		projects: make(map[messaging.Project]*account), moved: make(map[uint64]*queue),
		closing: make(chan struct{}), seals: make(chan struct{}, 1), grown: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.segments.Store(&map[uint32]*segment{})
	s.control.init(s)
	return s, nil
}

func (s *Store) open() error {
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return err
	}
	lock, err := s.fs.Lock(s.dir + "/" + lockName)
	if err != nil {
		return fmt.Errorf("the store in %s cannot be opened: %w", s.dir, err)
	}
	s.lock = lock
	if err := s.readFormat(); err != nil {
		return err
	}
	s.journal = &journal{
		fs: s.fs, dir: s.dir, segSize: s.config.SegmentSize, newSalt: randomUint32,
		onSeal: func(*segment) { s.kick() }, onSpare: s.kick, adopt: s.adopt,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		now: s.env.Now, turns: newTurns(),
		batches: histogram.New(histogram.Powers(1, 12)), syncs: histogram.New(histogram.Durations()),
	}
	s.journal.space.L = &s.journal.mu
	s.journal.gathering = s.journal.newGroup(nil, nil)
	if err := s.recover(); err != nil {
		return err
	}
	err = s.journal.reserve()
	if s.restored {
		if err == nil {
			err = s.endRestore()
		}
		if err != nil {
			return fmt.Errorf("the restored store cannot be taken into use: %w", err)
		}
	}
	if err != nil {
		s.log.Warn("store is full: no room for a spare segment; new messages are refused", "error", err)
	}
	go s.journal.run()
	return nil
}

// abandon lets go of what a failed open had taken.
func (s *Store) abandon() error {
	var errs []error
	for _, seg := range *s.segments.Load() {
		errs = append(errs, seg.file.Close())
	}
	if s.journal != nil {
		if spare := s.journal.spare; spare != nil {
			errs = append(errs, spare.file.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

func randomUint32() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return binary.LittleEndian.Uint32(b[:])
}

// Capabilities implements storage.Data.
func (s *Store) Capabilities() []messaging.Capability {
	return []messaging.Capability{messaging.FIFO, messaging.Claims, messaging.Durability,
		messaging.AtLeastOnce, messaging.HighThroughput}
}

// Ping implements storage.Lifecycle.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	return s.journal.failed()
}

// Close implements storage.Lifecycle. It writes what was submitted.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.closed.Store(true)
		close(s.closing)
		s.working.Wait()
		s.compacting.Lock() // another process may open the store soon
		defer s.compacting.Unlock()
		s.journal.close()
		s.closeErr = s.abandon()
	})
	return s.closeErr
}

// enter refuses calls on a closed store and cancelled contexts.
func (s *Store) enter(ctx context.Context) error {
	if s.closed.Load() {
		return errClosed()
	}
	if err := ctx.Err(); err != nil {
		return messaging.Wrap(messaging.Unavailable, "The request was cancelled.", err)
	}
	return nil
}

// now is the store's clock in ms.
func (s *Store) now() int64 { return s.env.Now().UnixMilli() }

// segment returns a segment by its number, nil if it is gone.
func (s *Store) segment(number uint32) *segment { return (*s.segments.Load())[number] }

// adopt makes a segment known before anything in it is.
func (s *Store) adopt(seg *segment) {
	s.changeSegments(func(m map[uint32]*segment) { m[seg.number] = seg })
}

func (s *Store) changeSegments(edit func(map[uint32]*segment)) {
	s.segmu.Lock()
	defer s.segmu.Unlock()
	old := *s.segments.Load()
	m := make(map[uint32]*segment, len(old)+1)
	for k, v := range old {
		m[k] = v
	}
	edit(m)
	s.segments.Store(&m)
}

// keepAlive counts the bytes of a message towards its segment.
func (s *Store) keepAlive(e *entry) {
	if seg := s.segment(e.seg); seg != nil {
		seg.keepAlive(e)
	}
}

// forget takes the bytes of a message off its segment.
func (s *Store) forget(e *entry) {
	if seg := s.segment(e.seg); seg != nil {
		seg.live.Add(-int64(padded(int(e.size))))
	}
}

// lookup returns the queue, or nil if it never held anything.
func (s *Store) lookup(ref messaging.QueueRef) *queue {
	s.queuemu.RLock()
	defer s.queuemu.RUnlock()
	return s.queues[ref]
}
