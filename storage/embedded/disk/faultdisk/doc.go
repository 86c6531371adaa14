// Package faultdisk is a file system in memory for tests that keeps exactly
// the promises of package disk and breaks everything else.
//
// # Power cuts
//
// A Disk knows for every file and directory what has been synced and what has
// changed since. Crash stops it and returns what a machine might find after
// the power is back:
//
//   - what was synced, always;
//   - of a file's unsynced writes, any part: each sector is what it was at some
//     moment since the last sync. Whole writes are lost or kept, or sectors of
//     them, or everything up to some moment, by chance. Optionally the bytes
//     of an unsynced write come back cut within a sector, or as garbage;
//   - the size of the file at some moment since the last sync;
//   - of the unsynced creates, renames and removes, any choice in which an
//     operation survives only with those before it on the same names, or,
//     optionally, all up to some moment.
//
// The same cut has many outcomes: Crash may be called again with another seed.
// CrashAt stops the Disk in the middle of the n-th change, so that a test can
// cut the power at every single one:
//
//	for n := int64(1); ; n++ {
//		d := faultdisk.New(faultdisk.Config{})
//		d.CrashAt(n)
//		workload(d)
//		if !d.Crashed() {
//			break // fewer than n changes
//		}
//		verify(d.Crash(faultdisk.Cut{Loss: faultdisk.Mixed, Seed: uint64(n)}))
//	}
//
// # Faults
//
// Inject makes chosen operations fail, succeed falsely, or wait at a Gate. A
// Sync that fails drops what it should have written, as Linux does: those
// sectors stay unsynced, whatever later calls of Sync say, until they are
// written again. SetCapacity fills the disk. FlipBit, Garble and BreakReads
// damage what is stored.
//
// # Determinism
//
// Everything by chance comes from seeds. One history of calls, with one seed
// for the Disk and one for the Cut, has one outcome.
package faultdisk
