// Package power cuts the power under the real server and accounts for every
// message.
//
// kill -9 loses nothing: the kernel still holds what a process wrote. Here the
// server runs on a file system that forgets, as a machine does whose power
// fails. A Layer mounts a faultdisk.Disk through FUSE: what was synced is kept
// for sure; of unsynced sectors, sizes, creates, renames and removes any part
// may be there or not, as package disk says. A cut comes in the middle of a
// change of the disk: under load, while the server starts and recovers, in
// particular around changes of directories. What no disk ever acknowledged is
// then decided by chance, the machine boots with what is left, and the ledger
// of package crash must find all that the server acknowledged, and nothing that
// it removed.
//
// The same on ext4: the file system is made in an image that is a file on the
// layer, behind a loop device, which makes each flush a sync. There ext4's
// journal, delayed allocation and unwritten extents lie between the server and
// the sectors that are lost.
//
// That these tests can fail is tested by disks that lie: they acknowledge syncs
// of files, or of directories, and drop them. The ledger must report losses.
//
// It needs Linux, /dev/fuse and the right to make a mount namespace, where all
// mounts are: nothing is left of them when the test process ends, however it
// does.
package power
