// Package embedded is the default store: single node, crash-safe, in one
// directory of the local disk. It implements both storage.Data and
// storage.Control on one append-only log; order, claims and the control plane
// are kept in memory and rebuilt from the log at start.
//
// # What it promises
//
// A call that returns without error is on disk: one fdatasync serves all calls
// that wait for it (group commit, see journal.go). Nothing can be read before
// it is on disk. After a crash everything acknowledged is there, whole batches
// or none of what was not.
//
// An error of fdatasync ends all writing until the process is restarted. A
// full disk refuses what adds data (Unavailable) while reads, claims and
// deletes go on from a reserve. A damaged record is detected by its checksum,
// reported, never served, and its segment is set aside instead of deleted.
// One process at a time: a lock file refuses the second.
//
// # Files
//
//	LOCK                 held by the process that has the store open
//	FORMAT               JSON: format version, identity of the store, checksum
//	0000000007.log       segment 7 of the log
//	0000000007.idx       the same without message bodies, written when it is full
//	FAILED               which commit could not be written, until the next start
//	quarantine/          damaged segments that would have been deleted
//
// # Segment, format 1
//
// All numbers are little-endian. A segment is a header of 32 bytes
//
//	0        8         12       16      20         28       32
//	+--------+---------+--------+-------+----------+--------+
//	|"zaqarlog"| format | number | salt  | first seq | crc32c |
//	+--------+---------+--------+-------+----------+--------+
//
// followed by records, each aligned to 8 bytes, then zeros:
//
//	0       4       8      9       10     12        12+head      size
//	+-------+-------+------+-------+------+---------+------------+
//	|crc32c | size  | type | flags | head | content | message body|
//	+-------+-------+------+-------+------+---------+------------+
//
// The crc32c covers all behind it and starts from the segment's salt and the
// record's offset, so bytes of another time or place never pass for a record.
// size counts the record without its padding; head is used by messages only.
// record.go has the content of each type.
//
// Every group commit begins with a commit record. It is written only after the
// commit before it is on disk, which tells a torn tail from damage: bad bytes
// with no commit record behind them were never acknowledged and are cut off;
// bad bytes in front of one were, and are reported.
//
// # Space
//
// A segment can go when nothing in it counts: no live message or control
// record, and no record about older segments that still exist (space.go). It is
// unlinked then, and rewritten at the head of the log when little in it counts:
// live messages are copied with their present state, records about older
// segments are condensed to what they still have to say (rewrite.go). So the
// log takes at most a small multiple of what is live in it.
package embedded
