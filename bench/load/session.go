package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"zaqar/bench/rawhttp"
)

// session is a connection for work that is not measured.
type session struct {
	template
	target *Target
	ctx    context.Context
	conn   *rawhttp.Conn
	loose  func() // undoes what closes conn when ctx ends
}

// session connects to the server, lets do make requests and disconnects.
func (q *Queues) session(ctx context.Context, do func(*session) error) error {
	return withSession(ctx, &q.target, q.template(0), do)
}

func withSession(ctx context.Context, t *Target, form template, do func(*session) error) error {
	s := &session{template: form, target: t, ctx: ctx}
	defer s.close()
	err := do(s)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (s *session) close() {
	if s.conn != nil {
		s.loose()
		s.conn.Close()
		s.conn = nil
	}
}

// dial connects anew.
func (s *session) dial() error {
	s.close()
	conn, err := s.target.Dial()
	if err != nil {
		return err
	}
	s.conn, s.loose = conn, closeAfter(s.ctx, conn.Close)
	return nil
}

// graceTime is how long a request under way may take to be answered when the
// context ends. A post that is cut off may be carried out later, and make the
// queue again that has been deleted meanwhile.
const graceTime = 2 * time.Second

// closeAfter calls f a while after the end of ctx, unless undo is called.
func closeAfter(ctx context.Context, f func()) (undo func()) {
	undone := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(graceTime)
		defer timer.Stop()
		select {
		case <-timer.C:
			f()
		case <-undone:
		}
	})
	return func() {
		close(undone)
		stop()
	}
}

// do makes one request, over a new connection if the server has closed the
// old one.
func (s *session) do(request []byte, want ...int) (rawhttp.Response, error) {
	if s.ctx.Err() != nil {
		return rawhttp.Response{}, context.Cause(s.ctx)
	}
	if s.conn == nil || s.conn.Closed() {
		if err := s.dial(); err != nil {
			return rawhttp.Response{}, err
		}
	}
	if err := s.conn.SetDeadline(time.Now().Add(s.target.timeout())); err != nil {
		return rawhttp.Response{}, err
	}
	r, err := s.conn.Do(request)
	if err != nil {
		return r, failed(request, s.target.timeout(), err)
	}
	if !slices.Contains(want, r.Status) {
		return r, unexpected(request, r)
	}
	return r, nil
}

// call is do for the body of the answer only.
func (s *session) call(request []byte, want ...int) ([]byte, error) {
	r, err := s.do(request, want...)
	return r.Body, err
}

// StatusError is an answer with a status that should not be.
type StatusError struct {
	Status  int
	Request string // its first line
	Body    string // as much as helps
}

// Error names the request and the status, and says what the server said and what
// a person can do.
func (e *StatusError) Error() string {
	return fmt.Sprintf("%s was answered with %d %s%s", e.Request, e.Status, http.StatusText(e.Status), e.hint())
}

// hint says what a person can do, or at least what the server said.
func (e *StatusError) hint() string {
	said := ""
	if e.Body != "" {
		said = ": " + e.Body
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return said + " (a token is needed: OS_TOKEN, --token)"
	case http.StatusServiceUnavailable:
		return said + " (the server is not ready for it)"
	}
	return said
}

func unexpected(request []byte, r rawhttp.Response) error {
	return &StatusError{Status: r.Status, Request: firstLine(request), Body: fmt.Sprintf("%.300s", bytes.TrimSpace(r.Body))}
}

// firstLine returns the method and the path of a request.
func firstLine(request []byte) string {
	line, _, _ := bytes.Cut(request, []byte(" HTTP/1.1\r\n"))
	return fmt.Sprintf("%.200s", line)
}

// misread says which request had the answer that err, if there is one, is about.
func misread(request []byte, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the answer to %s: %w", firstLine(request), err)
}

// failed describes a request without an answer.
func failed(request []byte, timeout time.Duration, err error) error {
	var slow interface{ Timeout() bool }
	if errors.As(err, &slow) && slow.Timeout() {
		return fmt.Errorf("%s was not answered within %s", firstLine(request), timeout)
	}
	return fmt.Errorf("%s was not answered: the connection failed: %w", firstLine(request), err)
}

// Check asks whether a Zaqar server that speaks version 2 is there and would
// serve this client.
func (t *Target) Check(ctx context.Context) error {
	form := newTemplate(t, "", 0, clientID(0))
	return withSession(ctx, t, form, func(s *session) error {
		_, err := s.do(s.request(nil, "GET", []byte(t.Prefix+"/v2/ping"), nil), http.StatusNoContent)
		var status *StatusError
		if errors.As(err, &status) && status.Status == http.StatusNotFound {
			return fmt.Errorf("%s has no Zaqar API of version 2: %w", t, err)
		}
		return err
	})
}

// probeTime is how long a server must take for an empty list before it is
// taken to wait; none that does not wait is that slow.
const probeTime = time.Second / 2

// Waits reports whether the server honours wait: whether it does not answer at
// once that the queue, which must be empty, has no messages.
func (q *Queues) Waits(ctx context.Context) (waits bool, err error) {
	err = q.session(ctx, func(s *session) error {
		if err := s.dial(); err != nil {
			return err
		}
		if err := s.conn.SetDeadline(time.Now().Add(probeTime)); err != nil {
			return err
		}
		request := s.on("GET", "/messages?limit=1&"+waiting, nil)
		_, err := s.conn.Do(request)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			waits = true
			return nil
		}
		if err != nil {
			return failed(request, probeTime, err)
		}
		return nil
	})
	return waits, err
}
