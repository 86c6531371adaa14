package app

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener without a network.
type pipes struct {
	conns chan net.Conn
	net.Listener
}

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p.conns); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowReadersOfMetrics has one ask for metrics and read nothing: what was
// written for him is not kept for ever.
func TestSlowReadersOfMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMonitor(slog.New(slog.DiscardHandler))
		p := pipes{conns: make(chan net.Conn)}
		ended := make(chan error, 1)
		m.serve(p, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, err := w.Write(make([]byte, 1<<20))
			ended <- err
		}))
		near, far := net.Pipe()
		p.conns <- far
		if _, err := io.WriteString(near, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if err == nil {
				t.Error("all was written to one who reads nothing")
			}
		case <-time.After(time.Hour):
			t.Error("the answer is still being written")
		}
		near.Close()
		if err := m.close(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}
