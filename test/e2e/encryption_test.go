package e2e

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zaqar/test/e2e/daemon"
)

const (
	oneKey  = "[transport]\nmessage_encryption_keys = old:the first secret\n"
	twoKeys = "[transport]\nmessage_encryption_keys = new:another secret,old:the first secret\n"
	newKey  = "[transport]\nmessage_encryption_keys = new:another secret\n"
)

// TestEncryptionAtRest looks for bodies on the disk, and changes the key while
// messages wait.
func TestEncryptionAtRest(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: oneKey})
	c := d.Client()
	restart := func(config string) {
		t.Helper()
		d.Stop(t)
		d = daemon.Start(t, daemon.Options{Dir: d.Dir, Config: config})
		c.URL = d.URL
	}
	c.Do(t, http.MethodPut, "/v2/queues/sealed", `{"_enable_encrypt_messages": true}`).Want(201)
	c.Post(t, "plain", "words in the open")
	c.Post(t, "sealed", "words under the old key")
	wantOnDisk(t, d.Dir, "words in the open") // or the search finds nothing

	restart(twoKeys)
	c.Post(t, "sealed", "words under the new key")
	wantBodies(t, c, "sealed", "words under the old key", "words under the new key")
	if m := c.Do(t, http.MethodPost, "/v2/queues/sealed/claims", nil).Want(201).Messages(); len(m) != 2 || string(m[0].Body) != `"words under the old key"` {
		t.Errorf("claimed %+v", m)
	}

	// Without the old key its message is out of sight, but not lost.
	restart(newKey)
	wantBodies(t, c, "sealed", "words under the new key")
	restart("")
	wantBodies(t, c, "plain", "words in the open")
	c.Do(t, http.MethodGet, "/v2/queues/sealed/messages?echo=true&include_claimed=true", nil).Want(503)
	c.Do(t, http.MethodPut, "/v2/queues/other", `{"_enable_encrypt_messages": true}`).Want(400)

	restart(twoKeys)
	wantBodies(t, c, "sealed", "words under the old key", "words under the new key")
	d.Stop(t)
	wantOnDisk(t, d.Dir, "words in the open")
}

func wantBodies(t *testing.T, c *daemon.Client, queue string, want ...string) {
	t.Helper()
	var got []string
	for _, m := range c.List(t, queue) {
		got = append(got, strings.Trim(string(m.Body), `"`))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s holds %q, want %q", queue, got, want)
	}
}

// wantOnDisk looks for bodies and secrets in all files of a directory and
// fails unless it finds the wanted ones alone.
func wantOnDisk(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		for _, text := range []string{"words in the open", "words under", "the first secret", "another secret"} {
			if there, err := holds(f, text); err != nil {
				return err
			} else if there && !slices.Contains(got, text) {
				got = append(got, text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("on the disk: %q, want %q", got, want)
	}
}

// holds looks for a text in a file of any size.
func holds(f *os.File, text string) (bool, error) {
	window := make([]byte, 1<<20)
	for at := int64(0); ; at += int64(len(window) - len(text)) {
		n, err := f.ReadAt(window, at)
		if bytes.Contains(window[:n], []byte(text)) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}
