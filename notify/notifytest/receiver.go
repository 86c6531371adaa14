package notifytest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Request is what a receiver was sent.
type Request struct {
	Method, Target, Host string
	Header               http.Header
	ContentLength        int64 // -1: not given
	Body                 []byte
}

// Behaviour is what a receiver does with a connection: Next gives it requests,
// and it may write what it likes. The connection is closed when it returns.
type Behaviour func(c *Conn)

// Conn is a receiver's side of a connection.
type Conn struct {
	net.Conn
	receiver *Receiver
	in       *bufio.Reader
}

// Next reads a request; false: the sender closed.
func (c *Conn) Next() bool {
	r, err := http.ReadRequest(c.in)
	if err != nil {
		return false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	length := r.ContentLength
	if r.Header.Get("Content-Length") == "" && len(r.TransferEncoding) > 0 {
		length = -1
	}
	c.receiver.add(Request{r.Method, r.RequestURI, r.Host, r.Header, length, body})
	return true
}

// Say writes text and reports whether the sender takes it.
func (c *Conn) Say(format string, args ...any) bool {
	_, err := fmt.Fprintf(c, format, args...)
	return err == nil
}

// Answer answers every request with a status, further header lines and a body.
func Answer(status int, body string, lines ...string) Behaviour {
	head := fmt.Sprintf("HTTP/1.1 %d Status\r\n", status)
	for _, l := range lines {
		head += l + "\r\n"
	}
	if status/100 != 1 && status != http.StatusNoContent && status != http.StatusNotModified {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	} else {
		body = ""
	}
	return func(c *Conn) {
		for c.Next() && c.Say("%s\r\n%s", head, body) {
		}
	}
}

// Receiver is an HTTP server that behaves as it is told, on 127.0.0.1.
type Receiver struct {
	URL string // of its root, with a path: http://127.0.0.1:1234/hook

	listener net.Listener
	behave   Behaviour
	done     chan struct{} // closed when it stops
	halt     func()        // closes done
	wait     sync.WaitGroup

	mu          sync.Mutex
	requests    []Request
	open        map[net.Conn]bool
	connections int
}

// NewReceiver starts a receiver that lives as long as the test.
func NewReceiver(t testing.TB, b Behaviour) *Receiver { return start(t, b, nil) }

// NewTLSReceiver starts one that speaks TLS.
func NewTLSReceiver(t testing.TB, b Behaviour, c tls.Certificate) *Receiver {
	return start(t, b, &tls.Config{Certificates: []tls.Certificate{c}})
}

func start(t testing.TB, b Behaviour, config *tls.Config) *Receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Receiver{URL: "http://" + l.Addr().String() + "/hook", listener: l, behave: b, open: map[net.Conn]bool{}, done: make(chan struct{})}
	r.halt = sync.OnceFunc(func() { close(r.done) })
	if config != nil {
		r.URL = strings.Replace(r.URL, "http", "https", 1)
		r.listener = tls.NewListener(l, config)
	}
	r.wait.Go(r.accept)
	t.Cleanup(r.stop)
	return r
}

func (r *Receiver) accept() {
	for {
		c, err := r.listener.Accept()
		if err != nil {
			return
		}
		if !r.enter(c) {
			c.Close()
			return
		}
		r.wait.Go(func() {
			defer r.leave(c)
			r.behave(&Conn{c, r, bufio.NewReader(c)})
		})
	}
}

func (r *Receiver) enter(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		return false
	}
	r.open[c] = true
	r.connections++
	return true
}

func (r *Receiver) leave(c net.Conn) {
	c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, c)
}

func (r *Receiver) stop() {
	r.halt()
	r.listener.Close()
	r.mu.Lock()
	for c := range r.open {
		c.Close()
	}
	r.open = nil
	r.mu.Unlock()
	r.wait.Wait()
}

func (r *Receiver) add(q Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, q)
}

// Requests are those read so far, in order.
func (r *Receiver) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Take is Requests, and forgets them.
func (r *Receiver) Take() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.requests
	r.requests = nil
	return all
}

// stopped is closed when the receiver stops.
func (r *Receiver) stopped() <-chan struct{} { return r.done }

// Connections counts those made so far, and those that are open.
func (r *Receiver) Connections() (made, open int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connections, len(r.open)
}
