package conn

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadDeadlines changes the deadline of a read before it begins and while
// it waits: it ends when the last one says.
func TestReadDeadlines(t *testing.T) {
	const never = -1
	for name, c := range map[string]struct {
		before, during []int // seconds from the start; during: a second apart
		ends           int
	}{
		"one":                        {[]int{10}, nil, 10},
		"moved away":                 {[]int{10, 60}, nil, 60},
		"moved away twice":           {[]int{10, 20, 30}, nil, 30},
		"lifted, then set later":     {[]int{10, never, 60}, nil, 60},
		"lifted, then set earlier":   {[]int{10, never, 5}, nil, 5},
		"nearer":                     {[]int{60, 10}, nil, 10},
		"past":                       {[]int{60, -5}, nil, 0},
		"past, then none, then set":  {[]int{-5, never, 20}, nil, 20},
		"moved away while it waits":  {[]int{10}, []int{30}, 30},
		"nearer while it waits":      {[]int{60}, []int{30}, 30},
		"past while it waits":        {[]int{60}, []int{-5}, 1},
		"set while it waits":         {nil, []int{20}, 20},
		"lifted and set again":       {[]int{3}, []int{never, 40}, 40},
		"moved to and fro":           {[]int{50}, []int{20, 40, 30}, 30},
		"moved behind one that came": {[]int{2}, []int{20, 25, 30}, 30},
	} {
		for _, size := range []int{1, 2} { // one byte begins late
			synctest.Test(t, func(t *testing.T) {
				conn, _, _ := pair(t)
				start := time.Now()
				set := func(seconds int) {
					var at time.Time
					if seconds != never {
						at = start.Add(time.Duration(seconds) * time.Second)
					}
					if err := conn.SetReadDeadline(at); err != nil {
						t.Error(err)
					}
				}
				for _, seconds := range c.before {
					set(seconds)
				}
				go func() {
					for _, seconds := range c.during {
						time.Sleep(time.Second)
						set(seconds)
					}
				}()
				n, err := conn.Read(make([]byte, size))
				if n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s: %d, %v", name, n, err)
				}
				if took, want := time.Since(start), time.Duration(c.ends)*time.Second; took != want {
					t.Errorf("%s: after %v, want %v", name, took, want)
				}
			})
		}
	}
}

// TestReadOutlivesAWithdrawnDeadline has data come after it.
func TestReadOutlivesAWithdrawnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, far := pair(t)
		c.SetReadDeadline(time.Now().Add(time.Second))
		c.SetReadDeadline(time.Time{})
		go func() {
			time.Sleep(time.Hour)
			io.WriteString(far, "late")
			far.Close()
		}()
		if text, err := io.ReadAll(c); string(text) != "late" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// TestWriteDeadlines has the other end take a part, and the rest after the
// first deadline or never.
func TestWriteDeadlines(t *testing.T) {
	for name, rest := range map[string]bool{"taken late": true, "never taken": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _, far := pair(t)
				start := time.Now()
				c.SetDeadline(start.Add(10 * time.Second))
				c.SetWriteDeadline(start.Add(20 * time.Second))
				go func() {
					got := make([]byte, 3)
					io.ReadFull(far, got)
					if time.Sleep(15 * time.Second); rest {
						io.ReadAll(far)
					}
				}()
				n, err := c.Write([]byte("0123456789"))
				if rest && (n != 10 || err != nil || time.Since(start) != 15*time.Second) {
					t.Errorf("%d, %v after %v", n, err, time.Since(start))
				}
				if !rest && (n != 3 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 20*time.Second) {
					t.Errorf("%d, %v after %v", n, err, time.Since(start))
				}
			})
		})
	}
}

// TestRequestsAreCheap does to a connection what a server does, request after
// request, with handlers that take 10 ms.
func TestRequestsAreCheap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, inner, far := pair(t)
		const requests = 1000
		go func() {
			for range requests {
				io.WriteString(far, "request")
				io.ReadFull(far, make([]byte, len("answer")))
			}
		}()
		for range requests {
			now := time.Now()
			c.SetReadDeadline(now.Add(2 * time.Minute))
			if _, err := io.ReadFull(c, make([]byte, len("request"))); err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Time{})
			c.SetReadDeadline(now.Add(10 * time.Second))
			c.SetReadDeadline(now.Add(time.Minute))
			c.SetReadDeadline(time.Time{})
			left := make(chan error)
			go func() {
				_, err := c.Read(make([]byte, 1))
				left <- err
			}()
			time.Sleep(10 * time.Millisecond)
			c.SetWriteDeadline(now.Add(time.Minute))
			c.SetReadDeadline(time.Unix(1, 0))
			if err := <-left; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Time{})
			if _, err := io.WriteString(c, "answer"); err != nil {
				t.Fatal(err)
			}
			c.SetWriteDeadline(time.Time{})
		}
		if inner.reads != requests || inner.deadlines > 3 {
			t.Errorf("%d reads, %d changes of deadlines", inner.reads, inner.deadlines)
		}
	})
}

// TestSingleBytes has something happen to reads of one byte, before they begin
// and later.
func TestSingleBytes(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(c *Conn, far net.Conn)
		err     error
	}{
		"data":              {func(_ *Conn, far net.Conn) { io.WriteString(far, "x") }, nil},
		"the client leaves": {func(_ *Conn, far net.Conn) { far.Close() }, io.EOF},
		"closed":            {func(c *Conn, _ net.Conn) { c.Close() }, io.ErrClosedPipe},
		"called off":        {func(c *Conn, _ net.Conn) { c.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"deadline":          {func(c *Conn, _ net.Conn) { c.SetDeadline(time.Now()) }, os.ErrDeadlineExceeded},
	} {
		for _, after := range []time.Duration{0, time.Millisecond, pause, 2*pause - 1, 2 * pause, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				conn, inner, far := pair(t)
				start := time.Now()
				if after == 0 && name != "data" { // before the read: writing to a pipe would wait for it
					c.happens(conn, far)
				} else {
					time.AfterFunc(after, func() { c.happens(conn, far) })
				}
				_, err := conn.Read(make([]byte, 1))
				if !errors.Is(err, c.err) {
					t.Errorf("%s after %v: %v, want %v", name, after, err, c.err)
				}
				if late := time.Since(start) - after; late > 2*pause {
					t.Errorf("%s after %v: noticed %v late", name, after, late)
				}
				if after < pause && c.err == os.ErrDeadlineExceeded && inner.reads > 0 {
					t.Errorf("%s after %v: the read began", name, after)
				}
			})
		}
	}
}

// TestLounge has many reads come, be called and wait in an order that a bit
// pattern chooses: each ends once, and no seat stays taken.
func TestLounge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l lounge
		var all sync.WaitGroup
		for n := range 1000 {
			all.Go(func() {
				s := &seat{up: make(chan struct{}, 1)}
				for round := range 5 {
					time.Sleep(time.Duration(n*7919%97) * time.Millisecond)
					if called := time.Duration(n>>round&3) * pause; called > 0 {
						time.AfterFunc(called-time.Millisecond, func() { l.call(s) })
					}
					l.wait(s, func() bool { return n&64 == 0 })
				}
			})
		}
		all.Wait()
		time.Sleep(2 * pause)
		synctest.Wait()
		if l.first != nil || l.last != nil || l.open {
			t.Errorf("left: %v, %v, open %v", l.first, l.last, l.open)
		}
	})
}

// receive returns what the other end gets until it is closed.
func receive(far net.Conn) <-chan string {
	got := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(far)
		got <- string(text)
	}()
	return got
}

func TestGather(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 2*largest/16)
	for name, c := range map[string]struct {
		pieces []string
		writes int
	}{
		"nothing":       {nil, 0},
		"one piece":     {[]string{"a"}, 1},
		"pieces":        {[]string{"head ", "body ", "", "tail"}, 1},
		"large":         {[]string{"head ", long}, 2},
		"large, tail":   {[]string{"head ", long, "tail"}, 3},
		"just fits":     {[]string{"0123456789", long[:largest-10]}, 1},
		"just too much": {[]string{"0123456789", long[:largest-9]}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			conn, inner, far := pair(t)
			got := receive(far)
			conn.Gather()
			for _, p := range c.pieces {
				own := []byte(p)
				if n, err := conn.Write(own); n != len(p) || err != nil {
					t.Errorf("%d of %d, %v", n, len(p), err)
				}
				clear(own) // the writer may use it again
			}
			if err := conn.Release(); err != nil {
				t.Error(err)
			}
			if inner.writes != c.writes {
				t.Errorf("%d writes, want %d", inner.writes, c.writes)
			}
			if _, err := io.WriteString(conn, "."); err != nil || inner.writes != c.writes+1 {
				t.Errorf("behind it: %v, %d writes", err, inner.writes)
			}
			conn.Close()
			if text := <-got; text != strings.Join(c.pieces, "")+"." {
				t.Errorf("%d bytes arrived: %.100q", len(text), text)
			}
		})
	}
}

// TestReleaseThatFails must not leave a connection in use on which a part of an
// answer is missing.
func TestReleaseThatFails(t *testing.T) {
	broken := errors.New("broken")
	c, inner, _ := pair(t)
	inner.refuse = broken
	c.Gather()
	if _, err := io.WriteString(c, "answer"); err != nil {
		t.Error(err)
	}
	if err := c.Release(); err != broken || !inner.closed {
		t.Errorf("%v, closed %v", err, inner.closed)
	}
	c.Gather()
	if _, err := io.WriteString(c, strings.Repeat("x", largest+1)); err != broken {
		t.Errorf("a large piece: %v", err)
	}
}

func TestFrom(t *testing.T) {
	c, inner, _ := pair(t)
	if From(Context(t.Context(), c)) != c || From(Context(t.Context(), inner)) != nil || From(context.Background()) != nil {
		t.Error("not the connection")
	}
}

// TestServer has net/http serve over connections of this package: kept alive,
// closed with a last reply, and closed by the client during a request.
func TestServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	body := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	server := &http.Server{ConnContext: Context, IdleTimeout: time.Minute, ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/wait":
				w.WriteHeader(http.StatusOK)
				http.NewResponseController(w).Flush()
				<-r.Context().Done()
				close(gone)
			case "/last":
				w.Header().Set("Connection", "close")
				fallthrough
			default:
				c := From(r.Context())
				c.Gather()
				w.Write(body)
				http.NewResponseController(w).Flush()
				if err := c.Release(); err != nil {
					t.Error(err)
				}
			}
		})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(Listen(l, time.Now)) }()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	url := "http://" + l.Addr().String()
	for _, path := range []string{"/", "/", "/last", "/"} {
		res, err := client.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
		res.Body.Close()
	}
	client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/wait", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(req); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-gone
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}
