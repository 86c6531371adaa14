package faultdisk

import (
	"errors"
	"syscall"
	"testing"
)

func TestGateHoldsASync(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	must(t, d.SyncDir("/"))
	write(t, f, "before", 0)
	gate := NewGate()
	d.Inject(Fault{Kind: Sync, Gate: gate, Times: 1})
	done := make(chan error)
	go func() { done <- f.Sync() }()
	<-gate.Arrived()
	write(t, f, "during", 1000)
	select {
	case <-done:
		t.Fatal("the gate let the sync through")
	default:
	}
	if got := contentOf(t, d.Clone().Crash(Cut{Loss: LoseAll}), "f"); len(got) != 0 {
		t.Errorf("a sync under way made %q durable", got)
	}
	gate.Open()
	must(t, <-done)
	wantBytes(t, contentOf(t, d.Crash(Cut{Loss: LoseAll}), "f"), []byte("before"))
}

func TestGateBeforeAFailure(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	gate := NewGate()
	d.Inject(Fault{Kind: Write, Gate: gate, Err: syscall.EIO})
	done := make(chan error)
	go func() { _, err := f.WriteAt([]byte("x"), 0); done <- err }()
	<-gate.Arrived()
	gate.Open()
	if err := <-done; !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
}

func TestCrashFreesWhoWaitsAtAGate(t *testing.T) {
	d := New(Config{})
	f := create(t, d, "f")
	gate := NewGate()
	d.Inject(Fault{Kind: Sync, Gate: gate})
	done := make(chan error)
	go func() { done <- f.Sync() }()
	<-gate.Arrived()
	d.Crash(Cut{})
	if err := <-done; !errors.Is(err, ErrCrashed) {
		t.Error(err)
	}
}
