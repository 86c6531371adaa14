package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

// TestStopFinishesRequestsInFlight sends SIGTERM while a body is on its way
// and others wait for messages.
func TestStopFinishesRequestsInFlight(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: longest})
	c := d.Client()
	c.Do(t, http.MethodPut, "/v2/queues/q", nil).Want(201)

	list := begin(t, c, http.MethodGet, "/v2/queues/q/messages?wait=3600", nil)
	claim := begin(t, c, http.MethodPost, "/v2/queues/q/claims?wait=3600", nil)
	d.AwaitWaiters(t, 2)
	idle := dial(t, d)
	idle.write(head(c, "GET", "/v2/ping"))
	idle.want(204)

	const body = `{"messages": [{"body": "slowly"}]}`
	sender := dial(t, d)
	// The server asks for the body once it has the headers and wants to read.
	sender.write(head(c, "POST", "/v2/queues/q/messages", length(len(body)), "Expect: 100-continue\r\n"))
	resp, _, err := sender.answer()
	if err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("no invitation to send the body: %v", err)
	}
	sender.write(body[:10])

	d.Signal(t, syscall.SIGTERM)
	if m := await(t, list).Want(200).Messages(); len(m) != 0 {
		t.Errorf("listed %+v", m)
	}
	await(t, claim).Want(204)
	idle.wantClosed()
	awaitRefusal(t, d)

	sender.write(body[10:])
	posted := sender.want(201)
	if err := d.Wait(t); err != nil {
		t.Errorf("the server ended with %v", err)
	}

	d = daemon.Start(t, daemon.Options{Dir: d.Dir})
	c.URL = d.URL
	var answer struct{ Resources []string }
	if err := json.Unmarshal(posted, &answer); err != nil {
		t.Fatal(err)
	}
	left := c.List(t, "q")
	if len(left) != 1 || string(left[0].Body) != `"slowly"` || left[0].Href != answer.Resources[0] {
		t.Errorf("after a restart: %+v", left)
	}
}

// awaitRefusal waits until the server takes no more connections.
func awaitRefusal(t *testing.T, d *daemon.Daemon) {
	t.Helper()
	d.Await(t, "stopping", 1)
	testwait.Until(t, "connections are refused", func() bool {
		conn, err := net.DialTimeout("tcp", d.Addr, daemon.Patience)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// TestStopUnderLoadLosesNothing stops a server that many clients post to: what
// it acknowledged is there after a restart, and what it did not is there once
// or not at all.
func TestStopUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{})
	c := d.Client()
	c.HTTP = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	const clients, enough = 16, 5
	acknowledged := make([][]string, clients)
	warm, done := make(chan int, clients), make(chan int, clients)
	for i := range clients {
		go func() {
			defer func() { done <- i }()
			for n := 0; ; n++ {
				a, err := c.Try(t, http.MethodPost, "/v2/queues/q/messages", `{"messages": [{"body": 1}, {"body": 2}]}`)
				if err != nil {
					return // the server has stopped
				}
				if a.Status != http.StatusCreated {
					t.Errorf("status %d: %s", a.Status, a.Body)
					return
				}
				acknowledged[i] = append(acknowledged[i], a.Resources()...)
				if n == enough {
					warm <- i
				}
			}
		}()
	}
	for range clients {
		<-warm
	}
	d.Signal(t, syscall.SIGTERM)
	for range clients {
		<-done
	}
	if err := d.Wait(t); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	c.URL, c.HTTP = daemon.Start(t, daemon.Options{Dir: d.Dir}).URL, http.DefaultClient
	there := map[string]int{}
	list := c.List(t, "q")
	for _, m := range list {
		there[m.Href]++
	}
	total := 0
	for _, resources := range acknowledged {
		for _, r := range resources {
			total++
			if there[r] != 1 {
				t.Errorf("%s is there %d times", r, there[r])
			}
		}
	}
	if len(list)%2 != 0 {
		t.Errorf("%d messages: half a post was stored", len(list))
	}
	t.Logf("%d messages acknowledged, %d stored", total, len(list))
}

// TestStopIsBounded has a client that never finishes its request.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	d := daemon.Start(t, daemon.Options{Config: "[process]\nshutdown_timeout = 1\n"})
	c := d.Client()
	sender := dial(t, d)
	sender.write(head(c, "POST", "/v2/queues/q/messages", length(100), "Expect: 100-continue\r\n"))
	if resp, _, err := sender.answer(); err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("no invitation to send the body: %v", err)
	}
	d.Signal(t, syscall.SIGTERM)
	d.Await(t, "requests in flight were cut off", 1)
	sender.wantClosed()
	_ = d.Wait(t) // it may say that not all went well
	if strings.Contains(d.Stderr(), "panic") {
		t.Errorf("standard error: %s", d.Stderr())
	}
}

// TestStopWhileStarting sends SIGTERM as early as possible.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			d := daemon.Launch(t, daemon.Options{})
			d.Await(t, "configuration read", 1)
			d.Signal(t, syscall.SIGTERM)
			if err := d.Wait(t); err != nil {
				t.Errorf("ended with %v: %s", err, d.Stderr())
			}
		})
	}
	running.Wait()
}
