package load

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
)

// idList is ids, each ended by a line feed. Millions of them cost neither
// allocations nor the garbage collector's time.
type idList []byte

func (l idList) add(id []byte) idList { return append(append(l, id...), '\n') }

func (l idList) len() int { return bytes.Count(l, []byte("\n")) }

func (l idList) all() iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := []byte(l); len(rest) > 0; {
			i := bytes.IndexByte(rest, '\n')
			if !yield(string(rest[:i])) {
				return
			}
			rest = rest[i+1:]
		}
	}
}

// ledger is what happened to the messages of a queue, as answered. Each list
// is in the order of one connection.
type ledger struct {
	posted, claimed, deleted []idList
}

func (l *ledger) add(other ledger) {
	l.posted = append(l.posted, other.posted...)
	l.claimed = append(l.claimed, other.claimed...)
	l.deleted = append(l.deleted, other.deleted...)
}

// fate is what the ledger knows of one message.
type fate struct {
	list, place      int32 // in posted: which list, and where in it
	claimed, deleted bool
	seen             bool
}

// Findings are what an audit found wrong: how many messages, and one of them.
type Findings struct {
	Lost, Duplicate, Phantom, ClaimedTwice, DeletedTwice, Undead, OutOfOrder Finding
}

// Finding counts one kind of mistake.
type Finding struct {
	Count   int
	Example string // an id
}

func (f *Finding) add(id string) {
	if f.Count == 0 {
		f.Example = id
	}
	f.Count++
}

// err returns nil if nothing is wrong.
func (f *Findings) err() error {
	var errs []error
	for _, k := range []struct {
		what string
		Finding
	}{
		{"lost", f.Lost}, {"listed twice or more", f.Duplicate}, {"never posted", f.Phantom},
		{"claimed twice", f.ClaimedTwice}, {"deleted twice", f.DeletedTwice},
		{"back after deletion", f.Undead}, {"out of order", f.OutOfOrder},
	} {
		if k.Count > 0 {
			errs = append(errs, fmt.Errorf("%d messages %s, such as %s", k.Count, k.what, k.Example))
		}
	}
	return errors.Join(errs...)
}

// audit compares the ledger with the ids that the server lists at the end, in
// their order.
func (l *ledger) audit(listed iter.Seq[string]) error {
	var wrong Findings
	known := make(map[string]*fate)
	for list, ids := range l.posted {
		place := int32(0)
		for id := range ids.all() {
			if known[id] != nil {
				wrong.Duplicate.add(id)
			}
			known[id] = &fate{list: int32(list), place: place}
			place++
		}
	}
	l.auditClaims(known, &wrong)
	l.auditDeletes(known, &wrong)

	reached := make([]int32, len(l.posted)) // place after the last one listed
	for id := range listed {
		f := known[id]
		switch {
		case f == nil:
			wrong.Phantom.add(id)
			continue
		case f.seen:
			wrong.Duplicate.add(id)
		case f.deleted:
			wrong.Undead.add(id)
		case f.place < reached[f.list]:
			wrong.OutOfOrder.add(id)
		}
		f.seen = true
		reached[f.list] = max(reached[f.list], f.place+1)
	}
	for id, f := range known {
		if !f.seen && !f.deleted {
			wrong.Lost.add(id)
		}
	}
	return wrong.err()
}

// auditClaims checks that each message was handed out once, and to each
// connection in the order of the posts of any other.
func (l *ledger) auditClaims(known map[string]*fate, wrong *Findings) {
	for _, ids := range l.claimed {
		reached := make(map[int32]int32)
		for id := range ids.all() {
			f := known[id]
			switch {
			case f == nil:
				wrong.Phantom.add(id)
				continue
			case f.claimed:
				wrong.ClaimedTwice.add(id)
			case f.place < reached[f.list]:
				wrong.OutOfOrder.add(id)
			}
			f.claimed = true
			reached[f.list] = max(reached[f.list], f.place+1)
		}
	}
}

func (l *ledger) auditDeletes(known map[string]*fate, wrong *Findings) {
	for _, ids := range l.deleted {
		for id := range ids.all() {
			f := known[id]
			switch {
			case f == nil:
				wrong.Phantom.add(id)
				continue
			case f.deleted:
				wrong.DeletedTwice.add(id)
			}
			f.deleted = true
		}
	}
}
