package edge_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"zaqar/api/edge"
)

// Connections are probed, each at moments of its own.
func TestProbes(t *testing.T) {
	plain, err := (&net.ListenConfig{KeepAlive: -1}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := edge.Limit(plain, edge.Limits{Total: 100, Now: time.Now})
	defer l.Close()
	idle := map[int]bool{}
	for range 20 {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		raw, err := c.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		option := func(level, name int) (value int) {
			t.Helper()
			if err := raw.Control(func(fd uintptr) { value, err = syscall.GetsockoptInt(int(fd), level, name) }); err != nil {
				t.Fatal(err)
			}
			return value
		}
		after, every, probes := option(syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE), option(syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL), option(syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT)
		if on := option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE); on == 0 || after < 45 || after > 75 || every < 10 || every > 20 || probes != 6 {
			t.Errorf("probes (%d) after %d s, every %d s, %d", on, after, every, probes)
		}
		idle[after] = true
	}
	if len(idle) < 3 {
		t.Errorf("20 connections are probed after %v s", idle)
	}
}
