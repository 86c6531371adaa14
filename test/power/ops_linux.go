package power

import (
	"context"
	"errors"
	"io"
	iofs "io/fs"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"zaqar/storage/embedded/disk"
	"zaqar/storage/embedded/disk/faultdisk"
)

// Directories.

// enter tells the kernel about an entry of the directory.
func (n *node) enter(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	i, err := n.l.disk.Stat(n.child(name))
	if err != nil {
		return nil, n.failed(err)
	}
	describe(i, &out.Attr)
	return n.NewInode(ctx, &node{l: n.l}, fs.StableAttr{Mode: mode(i), Ino: i.ID}), 0
}

// Lookup implements fs.NodeLookuper.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.enter(ctx, name, out)
}

// Readdir implements fs.NodeReaddirer.
func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	names, err := n.l.disk.List(n.path())
	if err != nil {
		return nil, n.failed(err)
	}
	var entries []fuse.DirEntry
	for _, name := range names {
		if i, err := n.l.disk.Stat(n.child(name)); err == nil {
			entries = append(entries, fuse.DirEntry{Name: name, Mode: mode(i), Ino: i.ID})
		}
	}
	return fs.NewListDirStream(entries), 0
}

// Mkdir implements fs.NodeMkdirer.
func (n *node) Mkdir(ctx context.Context, name string, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if err := n.l.disk.Mkdir(n.child(name)); err != nil {
		return nil, n.failed(err)
	}
	return n.enter(ctx, name, out)
}

// Create implements fs.NodeCreater.
func (n *node) Create(ctx context.Context, name string, flags, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	f, err := n.l.disk.Create(n.child(name))
	if errors.Is(err, iofs.ErrExist) && flags&syscall.O_EXCL == 0 {
		f, err = n.l.disk.Open(n.child(name))
	}
	if err != nil {
		return nil, nil, 0, n.failed(err)
	}
	inode, errno := n.enter(ctx, name, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return inode, inode.Operations().(*node).handle(f), 0, 0
}

// Unlink implements fs.NodeUnlinker.
func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	return n.failed(n.l.disk.Remove(n.child(name)))
}

// Rmdir implements fs.NodeRmdirer.
func (n *node) Rmdir(_ context.Context, name string) syscall.Errno {
	return n.failed(n.l.disk.Remove(n.child(name)))
}

// Rename implements fs.NodeRenamer.
func (n *node) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if flags != 0 {
		return syscall.EINVAL
	}
	return n.failed(n.l.disk.Rename(n.child(name), to.(*node).child(newName)))
}

// Statfs implements fs.NodeStatfser.
func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	free, err := n.l.disk.Free("/")
	out.Bsize, out.Frsize, out.NameLen = 4096, 4096, 255
	out.Bfree, out.Bavail, out.Blocks = free/4096, free/4096, (free+uint64(n.l.disk.Used()))/4096
	return n.failed(err)
}

// Both.

// Getattr implements fs.NodeGetattrer. A file that is open need not have a
// name.
func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	i, err := n.info()
	describe(i, &out.Attr)
	return n.failed(err)
}

func (n *node) info() (faultdisk.Info, error) {
	if h := n.some(); h != nil {
		size, err := h.Size()
		return faultdisk.Info{ID: n.StableAttr().Ino, Size: size}, err
	}
	return n.l.disk.Stat(n.path())
}

// Setattr implements fs.NodeSetattrer. Only sizes are kept.
func (n *node) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if err := n.truncate(f, int64(size)); err != nil {
			return n.failed(err)
		}
	}
	return n.Getattr(ctx, f, out)
}

func (n *node) truncate(f fs.FileHandle, size int64) error {
	if h, ok := f.(*handle); ok {
		return h.Truncate(size)
	}
	open, err := n.l.disk.Open(n.path())
	if err != nil {
		return err
	}
	return errors.Join(open.Truncate(size), open.Close())
}

// Fsync implements fs.NodeFsyncer, for fsync and fdatasync.
func (n *node) Fsync(_ context.Context, f fs.FileHandle, _ uint32) syscall.Errno {
	if h, ok := f.(*handle); ok {
		return n.failed(h.Sync())
	}
	return n.failed(n.l.disk.SyncDir(n.path()))
}

// Files.

// handle is an open file.
type handle struct {
	n *node
	disk.File
}

func (n *node) handle(f disk.File) *handle {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &handle{n, f}
	n.open = append(n.open, h)
	return h
}

// some returns one of the open handles, or nil.
func (n *node) some() *handle {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.open) == 0 {
		return nil
	}
	return n.open[0]
}

var _ interface {
	fs.FileReader
	fs.FileWriter
	fs.FileAllocater
	fs.FileReleaser
} = (*handle)(nil)

// Open implements fs.NodeOpener.
func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	f, err := n.l.disk.Open(n.path())
	if err == nil && flags&syscall.O_TRUNC != 0 {
		err = f.Truncate(0)
	}
	if err != nil {
		return nil, 0, n.failed(err)
	}
	return n.handle(f), fuse.FOPEN_KEEP_CACHE, 0
}

// Read implements fs.FileReader.
func (h *handle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, err := h.ReadAt(dest, off)
	if err == io.EOF {
		err = nil
	}
	return fuse.ReadResultData(dest[:n]), h.n.failed(err)
}

// Write implements fs.FileWriter.
func (h *handle) Write(_ context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	n, err := h.WriteAt(data, off)
	if n > 0 && errors.Is(err, disk.ErrFull) {
		err = nil // a short write; the next one fails
	}
	return uint32(n), h.n.failed(err)
}

// Allocate implements fs.FileAllocater.
func (h *handle) Allocate(_ context.Context, off, size uint64, mode uint32) syscall.Errno {
	if mode != 0 {
		return syscall.ENOTSUP
	}
	return h.n.failed(h.File.Allocate(int64(off), int64(size)))
}

// Release implements fs.FileReleaser.
func (h *handle) Release(context.Context) syscall.Errno {
	h.n.mu.Lock()
	defer h.n.mu.Unlock()
	h.n.open = slices.DeleteFunc(h.n.open, func(o *handle) bool { return o == h })
	_ = h.Close() // fails after a crash only
	return 0
}
