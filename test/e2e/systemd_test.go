package e2e

import (
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"zaqar/test/e2e/daemon"
)

// TestSystemdIsTold stands in for systemd: it is told when the server can be
// used, when it reads its configuration again, and when it begins to stop.
func TestSystemdIsTold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	told := func(want string) {
		t.Helper()
		_ = socket.SetReadDeadline(time.Now().Add(daemon.Patience))
		var b [1000]byte
		n, err := socket.Read(b[:])
		if err != nil {
			t.Fatalf("no %s: %v", want, err)
		}
		if !regexp.MustCompile(`^` + want + `$`).Match(b[:n]) {
			t.Fatalf("told %q, want %q", b[:n], want)
		}
	}
	d := daemon.Start(t, daemon.Options{Wrap: []string{"env", "NOTIFY_SOCKET=" + path}})
	told("READY=1")
	c := d.Client()
	c.Do(t, http.MethodGet, "/v2/ping", nil).Want(204)
	d.Signal(t, syscall.SIGHUP)
	told(`RELOADING=1\nMONOTONIC_USEC=\d+\n`)
	told("READY=1")
	d.Configure(t, "[transport]\nmax_wait = for ever\n")
	d.Signal(t, syscall.SIGHUP)
	told(`RELOADING=1\nMONOTONIC_USEC=\d+\n`)
	told("READY=1") // with the old configuration
	d.Stop(t)
	told("STOPPING=1")
}
