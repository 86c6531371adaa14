package power

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"zaqar/storage/embedded/disk/faultdisk"
)

// image is the file that holds the ext4, and its size: room for a few segments
// of the store.
const (
	image     = "disk.img"
	imageSize = 512 << 20
)

// format makes an empty ext4 in an image on the disk, which it mounts on dir
// for that.
func format(d *faultdisk.Disk, dir string) error {
	f, err := d.Create(image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(imageSize), f.Sync(), f.Close(), d.SyncDir("/")); err != nil {
		return err
	}
	l, err := Mount(dir, d)
	if err != nil {
		return err
	}
	return errors.Join(command("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", dir+"/"+image), l.Unmount())
}

// mountImage mounts the ext4 behind a loop device, which ends with the mount.
func mountImage(dir, on string) error {
	return command("mount", "-t", "ext4", "-o", "loop,nodiscard", dir+"/"+image, on)
}

func unmountImage(on string) error {
	return untilIdle(func() error { return os.NewSyscallError("umount", syscall.Unmount(on, 0)) })
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}
