package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"zaqar/internal/need"
	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

// smallDisk returns a directory on a file system with that many MiB. If only
// root of a namespace may mount one, it is there for programs started through
// wrap alone.
func smallDisk(t *testing.T, size int) (dir string, wrap []string) {
	t.Helper()
	dir = t.TempDir()
	options := fmt.Sprintf("size=%dm", size)
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput()
	if err == nil {
		t.Cleanup(func() {
			if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, out)
			}
		})
		return dir, nil
	}
	wrap = []string{"unshare", "--map-root-user", "--mount", "sh", "-c",
		`mount -t tmpfs -o "$0" tmpfs "$1" && shift && exec "$@"`, options, dir}
	if more, err := exec.Command(wrap[0], append(wrap[1:], "true")...).CombinedOutput(); err != nil {
		need.Missing(t, fmt.Sprintf("the right to mount a file system (%s; %s)", strings.TrimSpace(string(out)), strings.TrimSpace(string(more))))
	}
	return dir, wrap
}

// TestFullDisk fills the disk of a server: it refuses posts and goes on with
// everything else, and takes posts again once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	// Room for the two segments of 64 MiB that a server begins with, not for
	// a third one.
	disk, wrap := smallDisk(t, 160)
	dir := filepath.Join(disk, "data")
	d := daemon.Start(t, daemon.Options{Dir: dir, Wrap: wrap})
	c := d.Client()
	acknowledged := fillDisk(t, c)
	t.Logf("%d messages of 256 KB", len(acknowledged))

	worksWhenFull(t, c, acknowledged)
	if wrap == nil { // else the disk is out of reach, and gone with the process
		fillRest(t, disk)
		d.Stop(t)
		d = daemon.Start(t, daemon.Options{Dir: dir})
		c.URL = d.URL
	}
	if n, want := c.Count(t, "big"), len(acknowledged)-3; n != want { // worksWhenFull removed three
		t.Errorf("%d messages are left, want %d", n, want)
	}
	c.Do(t, http.MethodGet, acknowledged[len(acknowledged)/2], nil).Want(200)

	c.Do(t, http.MethodDelete, "/v2/queues/big", nil).Want(204)
	testwait.Until(t, "posts are taken again", func() bool {
		return c.Do(t, http.MethodPost, "/v2/queues/new/messages", `{"messages": [{"body": 1}]}`).Want(201, 503).Status == 201
	})
	if n := len(c.List(t, "new")); n != 1 {
		t.Errorf("%d messages: a refused post was stored", n)
	}
}

// fillDisk posts until the server refuses to, and returns the paths of what it
// took.
func fillDisk(t *testing.T, c *daemon.Client) (acknowledged []string) {
	t.Helper()
	body := fmt.Sprintf(`{"messages": [{"body": "%s", "ttl": 3600}]}`, strings.Repeat("x", 250_000))
	for range 1000 {
		a := c.Do(t, http.MethodPost, "/v2/queues/big/messages", body).Want(201, 503)
		if a.Status == 503 {
			var e struct{ Title, Description string }
			a.JSON(&e)
			if e.Title == "" || !strings.Contains(e.Description, "full") && !strings.Contains(e.Description, "room") {
				t.Errorf("the refusal says %s", a.Body)
			}
			return acknowledged
		}
		acknowledged = append(acknowledged, a.Resources()...)
	}
	t.Fatal("250 MB went onto a smaller disk")
	return nil
}

// fillRest leaves not a byte of the disk, as other programs may do.
func fillRest(t *testing.T, disk string) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// worksWhenFull does everything but posting. It removes three messages.
func worksWhenFull(t *testing.T, c *daemon.Client, there []string) {
	t.Helper()
	c.Do(t, http.MethodGet, "/v2/ping", nil).Want(204)
	c.Do(t, http.MethodGet, "/v2/queues?detailed=true", nil).Want(200)
	c.Do(t, http.MethodGet, "/v2/queues/big/stats", nil).Want(200)
	c.Do(t, http.MethodGet, there[0], nil).Want(200)
	c.Do(t, http.MethodGet, "/v2/queues/big/messages?echo=true&limit=1", nil).Want(200)
	for range 20 { // a reserve that is used up by the first few would not do
		claim := c.Do(t, http.MethodPost, "/v2/queues/big/claims?limit=3", nil).Want(201)
		c.Do(t, http.MethodPatch, claim.Location(), `{"ttl": 600}`).Want(204)
		c.Do(t, http.MethodGet, claim.Location(), nil).Want(200)
		c.Do(t, http.MethodDelete, claim.Location(), nil).Want(204)
	}
	claim := c.Do(t, http.MethodPost, "/v2/queues/big/claims?limit=1", nil).Want(201)
	c.Do(t, http.MethodDelete, claim.Messages()[0].Href, nil).Want(204)
	c.Do(t, http.MethodDelete, "/v2/queues/big/messages?pop=1", nil).Want(200)
	c.Do(t, http.MethodDelete, there[len(there)-1], nil).Want(204)
	c.Do(t, http.MethodPost, "/v2/queues/big/messages", `{"messages": [{"body": 1}]}`).Want(503)
}
