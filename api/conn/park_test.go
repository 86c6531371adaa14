package conn

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lot is a listener with connections that can be parked.
type lot struct {
	net.Listener
	arrivals chan net.Conn
	closing  sync.Once
	closed   chan struct{}
}

func (l *lot) Accept() (net.Conn, error) {
	select {
	case c := <-l.arrivals:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *lot) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return nil
}

// held is the response of a request that came over a connection.
type held struct {
	http.ResponseWriter
	conn   net.Conn
	behind string // is buffered
	err    error  // of hijacking
}

// Hijack implements http.Hijacker.
func (h held) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	in := bufio.NewReader(strings.NewReader(h.behind))
	_, _ = in.Peek(1)
	return h.conn, bufio.NewReadWriter(in, nil), h.err
}

// arrive returns a listener with one connection, and the other end of that.
func arrive(t *testing.T) (*Listener, *Conn, net.Conn) {
	t.Helper()
	below := &lot{arrivals: make(chan net.Conn, 1), closed: make(chan struct{})}
	l := Listen(below, time.Now)
	t.Cleanup(func() { l.Close() })
	near, far := net.Pipe()
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	below.arrivals <- near
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return l, c.(*Conn), far
}

// TestPark has something happen to a request that is parked.
func TestPark(t *testing.T) {
	const text = "GET / HTTP/1.1\r\n\r\n"
	for name, c := range map[string]struct {
		happens func(l *Listener, far net.Conn, resume func())
		after   int    // seconds until it is over
		reads   string // when it comes back; empty: it is gone
	}{
		"its time comes":      {func(*Listener, net.Conn, func()) {}, 20, text},
		"called":              {func(_ *Listener, _ net.Conn, resume func()) { resume() }, 5, text},
		"called twice":        {func(_ *Listener, _ net.Conn, resume func()) { resume(); resume() }, 5, text},
		"the client sends":    {func(_ *Listener, far net.Conn, _ func()) { go io.WriteString(far, "next") }, 5, text + "next"},
		"the client leaves":   {func(_ *Listener, far net.Conn, _ func()) { far.Close() }, 5, ""},
		"the server stops":    {func(l *Listener, _ net.Conn, _ func()) { l.Close() }, 5, ""},
		"called, then closed": {func(l *Listener, _ net.Conn, resume func()) { resume(); synctest.Wait(); l.Close() }, 5, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, conn, far := arrive(t)
				start := time.Now()
				gone := 0
				var resume func()
				parks := conn.Park(held{conn: conn}, &Parked{
					Text: []byte(text), Until: start.Add(20 * time.Second), State: name,
					Watch: func(f func()) { resume = f },
					Gone:  func() { gone++ },
				})
				if !parks || l.waiting() != 1 {
					t.Errorf("%d are parked", l.waiting())
				}
				time.Sleep(5 * time.Second)
				c.happens(l, far, resume)
				if c.reads == "" {
					synctest.Wait()
					if gone != 1 || l.waiting() != 0 {
						t.Errorf("told %d times that it is gone, %d are parked", gone, l.waiting())
					}
					return
				}
				again, err := l.Accept()
				if err != nil || again != net.Conn(conn) {
					t.Fatalf("%v, %v", again, err)
				}
				if took := time.Since(start); took != time.Duration(c.after)*time.Second {
					t.Errorf("it came back after %v", took)
				}
				got := make([]byte, len(c.reads))
				if _, err := io.ReadFull(again, got); err != nil || string(got) != c.reads {
					t.Errorf("%q, %v", got, err)
				}
				if l.waiting() != 1 {
					t.Errorf("%d are parked before a handler has it", l.waiting())
				}
				if first, second := conn.Resumed(), conn.Resumed(); first != name || second != nil {
					t.Errorf("resumed %v, then %v", first, second)
				}
				if l.waiting() != 0 {
					t.Errorf("%d are parked", l.waiting())
				}
				resume() // late: it must not end the read of the next request
				go io.WriteString(far, "more")
				if _, err := io.ReadFull(again, got[:4]); err != nil || string(got[:4]) != "more" {
					t.Errorf("%q, %v", got[:4], err)
				}
				again.Close()
				if gone != 0 {
					t.Error("told that it is gone, which had come back")
				}
			})
		})
	}
}

// TestParkedButNotServed closes a connection between its return and its
// handler.
func TestParkedButNotServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, conn, _ := arrive(t)
		gone := 0
		conn.Park(held{conn: conn}, &Parked{Until: time.Now(), Text: []byte("text"), Watch: func(func()) {}, Gone: func() { gone++ }})
		again, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		again.Close()
		if gone != 1 || conn.Resumed() != nil || l.waiting() != 0 {
			t.Errorf("told %d times that it is gone, resumed %v, %d are parked", gone, conn.Resumed(), l.waiting())
		}
	})
}

// TestDrain waits for parked requests: for those that come back, and not
// longer than it may.
func TestDrain(t *testing.T) {
	for _, comes := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			l, conn, _ := arrive(t)
			gone := false
			conn.Park(held{conn: conn}, &Parked{Until: time.Now().Add(10 * time.Second), Text: []byte("text"), Watch: func(func()) {}, Gone: func() { gone = true }})
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			if comes {
				go func() {
					c, _ := l.Accept()
					c.Read(make([]byte, 1))
					time.Sleep(time.Second)
					c.(*Conn).Resumed()
				}()
			}
			start := time.Now()
			err := l.Drain(ctx)
			took := time.Since(start)
			if comes && (err != nil || took != 11*time.Second) {
				t.Errorf("%v after %v", err, took)
			}
			synctest.Wait()
			if !comes && (!errors.Is(err, context.DeadlineExceeded) || took != 15*time.Second || gone) {
				t.Errorf("%v after %v, gone %v", err, took, gone)
			}
			if l.Close(); !comes {
				synctest.Wait()
				if !gone {
					t.Error("not told that it is gone")
				}
			}
		})
	}
}

// TestManyParked parks, calls and closes at the same time: each request comes
// back or is gone, once.
func TestManyParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := &lot{arrivals: make(chan net.Conn), closed: make(chan struct{})}
		l := Listen(below, time.Now)
		var mu sync.Mutex
		var back, left []int
		var all sync.WaitGroup
		for i := range 300 {
			near, far := net.Pipe()
			c := &Conn{Conn: near, listener: l, seat: seat{up: make(chan struct{}, 1)}}
			all.Go(func() {
				c.Park(held{conn: c}, &Parked{Text: []byte("text"), State: i, Until: time.Now().Add(time.Duration(i%7) * time.Second),
					Watch: func(resume func()) { time.AfterFunc(time.Duration(i%5)*time.Second, resume) },
					Gone: func() {
						mu.Lock()
						defer mu.Unlock()
						left = append(left, i)
					}})
				if time.Sleep(time.Duration(i%3) * time.Second); i%2 == 0 {
					far.Close()
				}
			})
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				if i, ok := c.(*Conn).Resumed().(int); ok {
					mu.Lock()
					back = append(back, i)
					mu.Unlock()
				}
				io.ReadAll(io.LimitReader(c, 4))
				c.Close()
			}
		}()
		time.Sleep(3 * time.Second)
		l.Close()
		all.Wait()
		synctest.Wait()
		both := slices.Concat(back, left)
		slices.Sort(both)
		if len(both) != 300 || len(slices.Compact(both)) != 300 || len(back) == 0 || len(left) == 0 || l.waiting() != 0 {
			t.Errorf("%d came back, %d are gone, %d are parked", len(back), len(left), l.waiting())
		}
	})
}

// TestNotParked leaves a request with its handler.
func TestNotParked(t *testing.T) {
	for name, c := range map[string]struct {
		before func(l *Listener, c *Conn)
		err    error
	}{
		"hijacking fails":        {func(*Listener, *Conn) {}, http.ErrNotSupported},
		"the server drains":      {func(l *Listener, _ *Conn) { _ = l.Drain(context.Background()) }, nil},
		"the server has stopped": {func(l *Listener, _ *Conn) { _ = l.Close() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			l, conn, far := arrive(t)
			c.before(l, conn)
			if conn.Park(held{conn: conn, err: c.err}, &Parked{Watch: func(func()) { t.Error("watched") }, Gone: func() { t.Error("gone") }}) {
				t.Error("it is parked")
			}
			if l.waiting() != 0 {
				t.Errorf("%d are parked", l.waiting())
			}
			if conn.Resumed() != nil {
				t.Error("it comes back")
			}
			go far.Write([]byte("text"))
			if n, err := conn.Read(make([]byte, 4)); n != 4 || err != nil {
				t.Errorf("read %d, %v", n, err)
			}
		})
	}
}

// TestTextBehind parks a request again before all of what the client has sent
// behind it was read again.
func TestTextBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, conn, far := arrive(t)
		var resume func()
		parked := &Parked{Text: []byte("request."), Until: time.Now().Add(time.Minute), Watch: func(f func()) { resume = f }}
		if !conn.Park(held{conn: conn, behind: "second.third."}, parked) {
			t.Fatal("it is not parked")
		}
		resume()
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		begun := make([]byte, len("request.sec"))
		if _, err := io.ReadFull(conn, begun); err != nil || string(begun) != "request.sec" {
			t.Fatalf("%q, %v", begun, err)
		}
		conn.Resumed()
		if !conn.Park(held{conn: conn, behind: "sec"}, parked) {
			t.Fatal("it is not parked again")
		}
		go io.WriteString(far, "!")
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		const want = "request.second.third.!"
		again := make([]byte, len(want))
		if _, err := io.ReadFull(conn, again); err != nil || string(again) != want {
			t.Errorf("%q, %v", again, err)
		}
		conn.Resumed()
		if conn.Park(held{conn: conn}, parked) {
			t.Error("parked behind a client that sends on and on")
		}
	})
}

// failing is a listener that can accept nothing.
type failing struct{ net.Listener }

func (failing) Accept() (net.Conn, error) { return nil, errors.New("too many open files") }
func (failing) Close() error              { return nil }

// TestParkedBeforeErrors has requests come back while nobody else can come in:
// a server that rests after each error must not keep them waiting for that.
func TestParkedBeforeErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := Listen(failing{}, time.Now)
		defer l.Close()
		const many = 100
		for range many {
			near, _ := net.Pipe()
			c := l.wrap(near).(*Conn)
			defer c.Close()
			c.Park(held{conn: c}, &Parked{Until: time.Now(), Watch: func(func()) {}, Gone: func() {}})
		}
		for n := range many {
			synctest.Wait() // all that are left want to come back
			if _, err := l.Accept(); err != nil {
				t.Fatalf("after %d of %d: %v", n, many, err)
			}
		}
		if _, err := l.Accept(); err == nil {
			t.Error("somebody came in")
		}
	})
}
