package power

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"math"
	"path"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"zaqar/internal/testwait"
	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

// Layer is a faultdisk.Disk that is mounted for all programs. The kernel
// passes on each write before it returns, and each sync: what a program did is
// on the Disk, synced or not.
//
// When the Disk crashes, calls hang from the first one that notices until
// Resume, so that no program can react to the power cut.
type Layer struct {
	disk   *faultdisk.Disk
	server *fuse.Server
	resume chan struct{}
}

// Mount mounts the disk on dir.
func Mount(dir string, d *faultdisk.Disk) (*Layer, error) {
	l := &Layer{disk: d, resume: make(chan struct{})}
	keep := time.Hour // nobody else changes the disk
	// A program that inherits the connection keeps it from ending with this
	// process: what is not answered then hangs, an ext4 on the layer with it.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var err error
	l.server, err = fs.Mount(dir, &node{l: l}, &fs.Options{
		EntryTimeout: &keep, AttrTimeout: &keep, NegativeTimeout: &keep,
		MountOptions: fuse.MountOptions{FsName: "faultdisk", Name: "faultdisk", DirectMountStrict: true, DisableXAttrs: true},
	})
	if err != nil {
		return nil, fmt.Errorf("mounting on %s: %w", dir, err)
	}
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) // kernels before 5.11 cannot
	return l, nil
}

// Resume lets the calls that hang fail. It is called once at most.
func (l *Layer) Resume() { close(l.resume) }

// Unmount ends the file system, which no process may be using any more.
func (l *Layer) Unmount() error { return untilIdle(l.server.Unmount) }

// untilIdle unmounts, again while the kernel has files open that nobody has
// any more: on a busy machine those of a killed process outlive it a little.
func untilIdle(unmount func() error) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for begun := time.Now(); ; <-again.C {
		if err := unmount(); !errors.Is(err, syscall.EBUSY) || time.Since(begun) > testwait.Patience {
			return err
		}
	}
}

// errno turns an error of the disk into one of the system. After the crash it
// waits.
func (l *Layer) errno(err error) syscall.Errno {
	var n syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.Is(err, faultdisk.ErrCrashed):
		<-l.resume
		return syscall.EIO
	case errors.As(err, &n):
		return n
	case errors.Is(err, disk.ErrFull):
		return syscall.ENOSPC
	case errors.Is(err, iofs.ErrNotExist):
		return syscall.ENOENT
	case errors.Is(err, iofs.ErrExist):
		return syscall.EEXIST
	}
	return syscall.EIO
}

// node is a file or directory. The kernel has one for each, found by its
// identity.
type node struct {
	fs.Inode
	l *Layer

	mu   sync.Mutex
	open []*handle // of a file
}

// The calls that files and directories answer.
var _ interface {
	fs.NodeLookuper
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeReaddirer
	fs.NodeMkdirer
	fs.NodeCreater
	fs.NodeOpener
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeRenamer
	fs.NodeFsyncer
	fs.NodeStatfser
} = (*node)(nil)

func (n *node) path() string                   { return "/" + n.Path(nil) }
func (n *node) child(name string) string       { return path.Join(n.path(), name) }
func (n *node) failed(err error) syscall.Errno { return n.l.errno(err) }

// The modes of everything.
const (
	fileMode = syscall.S_IFREG | 0o600
	dirMode  = syscall.S_IFDIR | 0o700
)

func mode(i faultdisk.Info) uint32 {
	if i.Dir {
		return dirMode
	}
	return fileMode
}

func describe(i faultdisk.Info, out *fuse.Attr) {
	out.Ino, out.Mode, out.Size, out.Nlink, out.Blksize = i.ID, mode(i), uint64(i.Size), 1, 4096
	out.Blocks = (out.Size + 511) / 512
}
