package app

import (
	"testing"

	"zaqar/notify"
)

func TestRoomForConnections(t *testing.T) {
	for _, c := range []struct {
		files      uint64
		deliveries int
		want       int
	}{
		{0, 1500, 0}, {100, 0, 50}, {100, 1500, 50}, {640, 0, 576}, {1024, 0, 922}, {1024, 100, 822}, {1024, 3530, 666},
		{65536, 3530, 55453}, {1 << 20, 3530, 940189}, {1 << 62, 3530, 966364112},
	} {
		if got := roomForConnections(c.files, c.deliveries); got != c.want {
			t.Errorf("%d files, %d for deliveries: room for %d, want %d", c.files, c.deliveries, got, c.want)
		}
	}
}

// What deliveries may open is counted if there are any.
func TestFilesOfDeliveries(t *testing.T) {
	a := &App{options: Defaults()}
	if got := a.filesOfDeliveries(); got != 0 {
		t.Errorf("%d without deliveries", got)
	}
	a.notifier = new(notify.Notifier)
	if got := a.filesOfDeliveries(); got != 500+1000+30+a.options.Notification.stuck(openFiles()) {
		t.Errorf("%d with the default of 10 workers and 10 mails at a time", got)
	}
}

// Attempts that take long do not open more files than there are for deliveries.
func TestStuckDeliveries(t *testing.T) {
	n := Defaults().Notification
	for files, want := range map[uint64]int{0: 2000, 1024: 0, 8192: 548, 65536: 2000, 1 << 62: 2000} {
		if got := n.stuck(files); got != want {
			t.Errorf("%d files: %d, want %d", files, got, want)
		}
	}
}
