package app_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"zaqar/api/rest"
	"zaqar/messaging"
)

// arrivals tells of requests that have come, and leaves the rest to Open.
type arrivals chan struct{}

func (a arrivals) Identify(ctx context.Context, r *http.Request) (messaging.Caller, error) {
	a <- struct{}{}
	return rest.Open{}.Identify(ctx, r)
}

// TestStopEndsLongPolls has a stop answer waiting requests the way a wait that
// ran out is answered.
func TestStopEndsLongPolls(t *testing.T) {
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", messages + "?wait=3600", "", http.StatusOK},
		{"POST", "/v2/queues/q/claims?wait=3600", "{}", http.StatusNoContent},
	} {
		t.Run(c.method, func(t *testing.T) {
			o := options(t)
			o.Broker.MaxWait = 3600
			arrived := make(arrivals, 10)
			o.REST.Identity = arrived
			r := start(t, o)
			req := r.request(t, c.method, c.path, c.body)
			answer := make(chan error, 1)
			go func() {
				resp, err := http.DefaultClient.Do(req)
				if err == nil {
					resp.Body.Close()
					if resp.StatusCode != c.want {
						err = fmt.Errorf("status %d, want %d", resp.StatusCode, c.want)
					}
				}
				answer <- err
			}()
			<-arrived
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if err := <-answer; err != nil {
				t.Error(err)
			}
		})
	}
}

// slowPost begins a post and returns what sends the rest of it and reads the
// answer's status.
func slowPost(t *testing.T, addr string) (conn net.Conn, finish func() (int, error)) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	half := len(oneMessage) / 2
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nClient-ID: 3381af92-2b9e-11e3-b191-71861300734c\r\nX-Project-ID: p\r\n"+
		"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n", messages, len(oneMessage))
	// The server asks for the body once it has begun to serve the request.
	in := bufio.NewReader(conn)
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("no go-ahead: %q, %v", line, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, oneMessage[:half])
	return conn, func() (int, error) {
		fmt.Fprint(conn, oneMessage[half:])
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
		return resp.StatusCode, nil
	}
}

func TestStopFinishesRequestsInFlight(t *testing.T) {
	o := options(t)
	r := start(t, o)
	_, finish := slowPost(t, r.Addr())
	stopped := make(chan error, 1)
	go func() { stopped <- r.stop() }()
	waitRefused(t, r.Addr())
	if status, err := finish(); status != http.StatusCreated {
		t.Errorf("the request in flight got %d, %v", status, err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	again := start(t, o)
	if _, _, body := again.do(t, "GET", messages+"?echo=true", ""); !strings.Contains(body, "hello") {
		t.Errorf("what was acknowledged during the stop is gone: %s", body)
	}
}

func TestStopCutsOffWhatDoesNotEnd(t *testing.T) {
	o := options(t)
	o.ShutdownTimeout = time.Millisecond
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	r := start(t, o)
	_, finish := slowPost(t, r.Addr())
	if err := r.stop(); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "finish requests") {
		t.Errorf("stop: %v", err)
	}
	if status, err := finish(); err == nil {
		t.Errorf("the request that was cut off got %d", status)
	}
	if !strings.Contains(log.String(), "cut off") {
		t.Errorf("log:\n%s", log.String())
	}
	start(t, o) // the store was closed all the same
}

// waitRefused returns when nobody accepts connections at addr.
func waitRefused(t *testing.T, addr string) {
	t.Helper()
	for t.Context().Err() == nil {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		conn.Close()
	}
	t.Fatal("it still listens")
}
