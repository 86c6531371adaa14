package faultdisk

import (
	"errors"
	"io/fs"
	"testing"
)

func TestMkdirNeedsSync(t *testing.T) {
	d := New(Config{})
	for _, name := range []string{"kept", "lost"} {
		if err := d.Mkdir(name); err != nil {
			t.Fatal(err)
		}
		if name == "kept" {
			if err := d.SyncDir("/"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := d.Mkdir("kept"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	if err := d.Mkdir("a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("made without its parent: %v", err)
	}
	found := d.Crash(Cut{Loss: LoseAll})
	if i, err := found.Stat("kept"); err != nil || !i.Dir {
		t.Errorf("kept: %+v, %v", i, err)
	}
	if _, err := found.Stat("lost"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lost: %v", err)
	}
}

func TestStat(t *testing.T) {
	d := New(Config{})
	f, err := d.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("12345"), 0); err != nil {
		t.Fatal(err)
	}
	before, err := d.Stat("a")
	if err != nil || before.Dir || before.Size != 5 {
		t.Errorf("%+v, %v", before, err)
	}
	if err := d.Rename("a", "b"); err != nil {
		t.Fatal(err)
	}
	if after, err := d.Stat("b"); err != nil || after != before {
		t.Errorf("after a rename: %+v, %v; before %+v", after, err, before)
	}
	counted := d.Changes()
	select {
	case <-d.Dead():
		t.Error("dead before the crash")
	default:
	}
	d.Crash(Cut{})
	<-d.Dead()
	if after, err := d.Stat("b"); err != nil || after != before || d.Changes() != counted {
		t.Errorf("after a crash: %+v, %v, %d changes, before %d", after, err, d.Changes(), counted)
	}
}
