package workers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"zaqar/bench/load"
	"zaqar/bench/rawhttp"
)

// Auth gives tokens of an identity service. It is used by many goroutines at
// once.
type Auth interface {
	// Token returns the token in use and the id of its project.
	Token() (token, project string)
	// Renew replaces a token that the server has refused. When another
	// goroutine has done so meanwhile, there is nothing left to do.
	Renew(ctx context.Context, refused string) error
}

// Bounds of waiting.
const (
	answerTime = 30 * time.Second // for one answer, without the wait asked for
	lastTime   = 5 * time.Second  // for one answer, once the run is to end
	idleTime   = time.Second      // a connection that was idle longer is made anew
)

// client is one connection to the server. It is used by one goroutine at a
// time, except for hurry.
type client struct {
	target load.Target
	auth   Auth
	id     string // Client-ID

	conn   *rawhttp.Conn
	used   time.Time // last, of the connection
	token  string
	common string // headers of every request
	buf    []byte

	mu      sync.Mutex
	hurried bool
	waiting bool          // the request under way may wait for messages
	under   *rawhttp.Conn // it is under way here
}

func newClient(t load.Target, auth Auth) *client {
	c := &client{target: t, auth: auth, id: uuid.NewString()}
	c.identify()
	return c
}

// identify makes the headers anew, with the token in use.
func (c *client) identify() {
	var b strings.Builder
	project := c.target.Project
	if c.auth != nil {
		var own string
		if c.token, own = c.auth.Token(); project == "" {
			project = own
		}
	}
	fmt.Fprintf(&b, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: zaqar-bench\r\nAccept: application/json\r\nClient-ID: %s\r\n", c.target.Addr, c.id)
	if project != "" {
		fmt.Fprintf(&b, "X-Project-ID: %s\r\n", project)
	}
	if c.token != "" {
		fmt.Fprintf(&b, "X-Auth-Token: %s\r\n", c.token)
	}
	c.common = b.String()
}

// request is what one asks the server for.
type request struct {
	method, path string
	body         []byte
	wait         time.Duration // for messages; 0: the answer comes at once
}

// String is the request line.
func (r *request) String() string { return r.method + " " + r.path }

// brokenError is a connection that broke, so that nobody knows whether the
// request was carried out.
type brokenError struct{ error }

// Unwrap returns what broke it.
func (e brokenError) Unwrap() error { return e.error }

// do makes one request. A refused token is renewed once. The answer is valid
// until the next request; every error is a brokenError.
func (c *client) do(ctx context.Context, r *request) (rawhttp.Response, error) {
	answer, err := c.attempt(r)
	if err != nil || answer.Status != http.StatusUnauthorized || c.auth == nil {
		return answer, err
	}
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := c.auth.Renew(limited, c.token); err != nil {
		return answer, brokenError{fmt.Errorf("%s was answered with 401, and there is no new token: %w", r, err)}
	}
	c.identify()
	return c.attempt(r)
}

func (c *client) attempt(r *request) (rawhttp.Response, error) {
	if err := c.connect(); err != nil {
		return rawhttp.Response{}, brokenError{err}
	}
	limit := c.begin(r)
	answer, err := c.conn.Do(c.encode(r))
	c.finish()
	c.used = time.Now()
	if err == nil {
		return answer, nil
	}
	c.close()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return answer, brokenError{fmt.Errorf("%s was not answered within %s", r, limit.Round(time.Second))}
	}
	return answer, brokenError{fmt.Errorf("%s: the connection broke: %w", r, err)}
}

// connect makes a connection if there is none that the server keeps open.
func (c *client) connect() error {
	if c.conn != nil && !c.conn.Closed() && time.Since(c.used) < idleTime {
		return nil
	}
	c.close()
	conn, err := c.target.Dial()
	if err != nil {
		return err
	}
	c.conn = conn
	return nil
}

// begin bounds the time for the answer, and returns the bound.
func (c *client) begin(r *request) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := answerTime + r.wait
	if c.hurried {
		limit = lastTime
	}
	c.under, c.waiting = c.conn, r.wait > 0
	_ = c.conn.SetDeadline(time.Now().Add(limit)) // if it is closed, Do says so
	return limit
}

func (c *client) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under = nil
}

// hurry gives the request under way, and those that follow, a short time. One
// that waits for messages ends at once.
func (c *client) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hurried = true
	switch {
	case c.under == nil:
	case c.waiting:
		_ = c.under.SetDeadline(time.Now())
	default:
		_ = c.under.SetDeadline(time.Now().Add(lastTime))
	}
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// encode writes the request.
func (c *client) encode(r *request) []byte {
	b := append(c.buf[:0], r.method...)
	b = append(b, ' ')
	b = append(b, c.target.Prefix...)
	b = append(b, r.path...)
	b = append(b, c.common...)
	if r.body != nil {
		b = append(b, "Content-Type: application/json\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(r.body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(append(b, "\r\n"...), r.body...)
	c.buf = b
	return b
}
