package embedded

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log/slog"
	"math"
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
	s.journal.gathering = s.journal.newGroup(nil)
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

// Damage returns what recovery found unreadable.
func (s *Store) Damage() []Damage { return s.damage }

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

// idLength is how many hex digits an id has as clients see it; the first 8
// tell the store.
const idLength = 24

// id renders a sequence number as the id clients see.
func (s *Store) id(n uint64) string {
	var text [idLength]byte
	return string(s.appendID(text[:0], n))
}

func (s *Store) appendID(b []byte, n uint64) []byte {
	var raw [idLength / 2]byte
	binary.BigEndian.PutUint32(raw[:], s.epoch)
	binary.BigEndian.PutUint64(raw[4:], n)
	return hex.AppendEncode(b, raw[:])
}

// idTexts renders many in one string, idLength bytes each.
func (s *Store) idTexts(ns []uint64) string {
	var short [16 * idLength]byte
	b := short[:0]
	for _, n := range ns {
		b = s.appendID(b, n)
	}
	return string(b)
}

// number is the inverse of id; ok is false for ids of other makers.
func (s *Store) number(id string) (n uint64, ok bool) {
	if len(id) != idLength {
		return 0, false
	}
	for i := range idLength {
		c := id[i]
		var d uint64
		switch {
		case '0' <= c && c <= '9':
			d = uint64(c - '0')
		case 'a' <= c && c <= 'f':
			d = uint64(c-'a') + 10
		default:
			return 0, false
		}
		if i < 8 {
			ok = uint64(s.epoch)>>(28-4*i)&15 == d
			if !ok {
				return 0, false
			}
			continue
		}
		n = n<<4 | d
	}
	return n, true
}

// posterHash tells most clients apart without reading records. It takes the
// form of packClient.
func (s *Store) posterHash(packed []byte) uint16 { return uint16(maphash.Bytes(s.seed, packed)) }

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

// Sweep implements storage.Lifecycle.
func (s *Store) Sweep(ctx context.Context) (storage.Swept, error) {
	if err := s.enter(ctx); err != nil {
		return storage.Swept{}, err
	}
	s.sweep(s.now())
	if err := s.sweepSubscriptions(); err != nil {
		return storage.Swept{}, err
	}
	return storage.Swept{
		Messages:      news(&s.swept.messages, &s.told.messages),
		Claims:        news(&s.swept.claims, &s.told.claims),
		Subscriptions: news(&s.swept.subscriptions, &s.told.subscriptions),
	}, nil
}

// watch has the sweeper look at the queue when something in it expires. The
// caller holds q.mu.
func (q *queue) watch() {
	due := q.soonest
	if len(q.expiry.items) > 0 {
		due = min(due, q.expiry.items[0].at)
	}
	if due == math.MaxInt64 || q.watched != 0 && q.watched <= due {
		return
	}
	q.watched = max(due, 1)
	a := q.account
	a.mu.Lock()
	a.watches.push(q.watched, q)
	q.store.watchAccount(a)
	a.mu.Unlock()
}

// watchAccount has the sweeper look at the account when something in one of its
// queues expires. The caller holds a.mu.
func (s *Store) watchAccount(a *account) {
	if len(a.watches.items) == 0 {
		return
	}
	due := a.watches.items[0].at
	if a.watched != 0 && a.watched <= due {
		return
	}
	a.watched = due
	s.watchmu.Lock()
	s.watches.push(due, a)
	s.watchmu.Unlock()
}

// sweepSlack is by how many ms the housekeeper lags behind the clock, so that
// expired messages of a busy queue are swept in lots.
const sweepSlack = 1000

// sweep reclaims what has expired, visiting only queues that have some.
// due is the instant by which they had to be expired, ms.
func (s *Store) sweep(due int64) {
	now := s.now()
	var found []*account
	s.watchmu.Lock()
	for s.watches.due(due) {
		found = append(found, s.watches.pop())
	}
	s.watchmu.Unlock()
	for _, a := range found {
		s.sweepAccount(a, due, now)
	}
}

// sweepAccount does so in the queues of one project. Nobody else is at it when
// it returns.
func (s *Store) sweepAccount(a *account, due, now int64) {
	a.sweeping.Lock()
	defer a.sweeping.Unlock()
	var found []heapItem[*queue]
	a.mu.Lock()
	for a.watches.due(due) {
		found = append(found, a.watches.items[0])
		a.watches.pop()
	}
	if a.watched <= due {
		a.watched = 0
		s.watchAccount(a)
	}
	a.mu.Unlock()
	for _, w := range found {
		q := w.value
		q.mu.Lock()
		if q.watched == w.at {
			q.watched = 0
			q.catchUp(now)
			q.watch()
		}
		q.mu.Unlock()
	}
}
