package storage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/storage"
)

func TestCopies(t *testing.T) {
	for _, want := range []storage.Copy{
		{ID: "a", Body: []byte{}, Note: []byte{}},
		{ID: "06cab28a0000000000000002", Index: 3, TTL: 60, Delay: 7, Note: []byte("a b {}"), Body: []byte("\n\n\x00 1 2 3\n")},
	} {
		d := messaging.Draft{TTL: want.TTL, Delay: want.Delay}
		body := append(storage.AppendCopy(nil, want.ID, want.Index, &d, want.Note), want.Body...)
		got, err := storage.ReadCopy(body)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestReadCopyRefuses(t *testing.T) {
	for _, body := range []string{"", "\n", "a 0 60 0", "a 0 60 0\nnote", "a 0 60\n\n1", "a 0 60 0 0\n\n1", "a x 60 0\n\n1", "a -1 60 0\n\n1", "a 0 60 99999999999999999999\n\n1"} {
		if c, err := storage.ReadCopy([]byte(body)); err == nil {
			t.Errorf("%q is read as %+v", body, c)
		}
	}
}

func FuzzReadCopy(f *testing.F) {
	f.Add([]byte("a 0 60 0\nnote\nbody"))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := storage.ReadCopy(body)
		if err != nil {
			return
		}
		d := messaging.Draft{TTL: c.TTL, Delay: c.Delay}
		again, err := storage.ReadCopy(append(storage.AppendCopy(nil, c.ID, c.Index, &d, c.Note), c.Body...))
		if err != nil || !cmp.Equal(c, again) {
			t.Errorf("%q is read as %+v, and that as %+v: %v", body, c, again, err)
		}
	})
}
