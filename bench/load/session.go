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
	conn   *rawhttp.Conn
	// stop ends what the connection waits for when the context ends.
	ctx context.Context
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
		s.conn.Close()
		s.conn = nil
	}
}

// do makes one request, over a new connection if the server has closed the
// old one.
func (s *session) do(request []byte, want ...int) (rawhttp.Response, error) {
	if s.conn == nil || s.conn.Closed() {
		s.close()
		var err error
		if s.conn, err = s.target.Dial(); err != nil {
			return rawhttp.Response{}, err
		}
	}
	defer context.AfterFunc(s.ctx, s.conn.Close)()
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
		conn, err := q.target.Dial()
		if err != nil {
			return err
		}
		s.conn = conn // closed with the session
		if err := conn.SetDeadline(time.Now().Add(probeTime)); err != nil {
			return err
		}
		request := s.on("GET", "/messages?limit=1&"+waiting, nil)
		_, err = conn.Do(request)
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
