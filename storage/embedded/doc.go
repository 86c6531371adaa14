// Package embedded is the default store: single node, crash-safe, in one
// directory of the local disk. It implements both storage.Data and
// storage.Control on one append-only log; order, claims and the control plane
// are kept in memory and rebuilt from the log at start.
//
// # What it promises
//
// A call that returns without error is on disk: one fdatasync serves all calls
// that wait for it (group commit, see journal.go and commit.go). Nothing can be
// read before it is on disk. After a crash everything acknowledged is there,
// whole batches or none of what was not.
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
//	BACKUP               of a backup only, until it is first opened: its files
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
// The files record_*.go have the content of each type. A server that meets a
// type of record, or a table of control records, that it does not know refuses
// to open the store: so a type may be added without another format, and a change
// to one may not.
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
// unlinked then. When the log takes too much, segments are rewritten at its
// head: live messages are copied with their present state, records about older
// segments are condensed to what they still have to say (rewrite.go).
//
// The segment files take at most twice what is live in them and eight segments
// more. Segments are rewritten only when that comes near, those first that give
// back most for what is copied, and those last that drain by themselves
// (compact.go); in small pieces with rests in between, which posts hardly
// notice (pace.go). An index file takes what its segment does, less the bodies.
//
// # Looking at a store from outside
//
// Inspect, Verify and Backup read the directory of a store that is stopped, or
// that another process is writing to, without its lock and without changing a
// byte there. What they see of a running store is a prefix of its log that
// holds everything acknowledged before they began:
//
//   - Segments are only appended to, one commit after the other, each when the
//     one before is on disk; only zeros are ever overwritten. So what is read of
//     a segment up to where it ends at the moment is a prefix of its commits. Of
//     the one being written then a part may be seen, as after a crash. Bytes
//     that are no record though a commit follows were caught while they were
//     being written, or are damage: they are read once more to know.
//   - Segments are used in the order of their numbers, and when one is in use
//     those before it are complete for good. So all files up to the one in use,
//     and that up to its end, are a prefix of the log.
//   - Compaction unlinks a segment once what counts in it is on disk again at
//     the head of the log. Whoever lacks such a segment must therefore read the
//     log up to there. So every file is opened before any is read. If one is
//     gone when it is to be opened, or the directory lists other segments
//     afterwards, all begins anew. Then all files existed at one moment, every
//     other segment was gone by then, and each is read later than that moment.
//     A file that is unlinked afterwards can be read on, and does no harm: it
//     is as if a crash had undone the unlinking of this and all later ones.
//   - The log must not have moved on beyond the files at that moment. It had
//     not if the last of them is the spare, in which nothing is written yet.
//     Without a spare, as on a full disk or when the store is stopped, the same
//     list before and after the opening has to do: for it to mislead, a whole
//     segment must be filled while the directory is being listed.
//
// A backup is such a set of files, copied, each up to its end. It is a
// store, and carries the identity of the original: to keep ids from being given
// out twice, the first start on it leaves out as many sequence numbers as the
// original can have given out since. It also refuses to start if files are
// missing or left over from another store, and then removes the BACKUP file.
package embedded
