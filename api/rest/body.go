package rest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"zaqar/api/wire"
)

// smallBody is the limit for bodies that no setting limits, in bytes: claims
// and purges take less than a hundred, subscriptions a few thousand.
const smallBody = 64 << 10

// document reads a body that no setting limits and that must be there, as what
// one of the methods of wire.Reader makes of it.
func document[T any](c *call, as func(*wire.Reader, []byte) (T, error)) (in T, err error) {
	s := c.memory()
	if err := c.read(s, smallBody); err != nil {
		return in, err
	}
	if len(s.In) == 0 {
		return in, invalid("A body is required.")
	}
	return as(&s.Reader, s.In)
}

// firstRead is how much memory a body gets before any of it has come. It grows
// with what comes, not with what the client announces.
const firstRead = 8 << 10

// hasBody reports whether the request has a body of at least one byte.
func (c *call) hasBody() (bool, error) {
	if c.r.ContentLength >= 0 {
		return c.r.ContentLength > 0, nil
	}
	var first [1]byte
	n, err := io.ReadFull(c.r.Body, first[:])
	switch {
	case err == io.EOF:
		c.bodyEnds()
	case err != nil:
		return false, c.unreadable(err)
	}
	rest := c.r.Body
	c.r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:n]), rest), rest}
	return n > 0, nil
}

// read reads the body into s.In, up to limit bytes. A body that says that it
// is longer is not read at all, one that turns out to be longer not to its
// end. No body leaves s.In empty.
func (c *call) read(s *wire.Scratch, limit int64) error {
	s.In = s.In[:0]
	if c.r.ContentLength == 0 {
		return nil
	}
	if c.r.ContentLength > limit {
		return c.tooLarge(limit)
	}
	for {
		if len(s.In) == cap(s.In) {
			s.In = slices.Grow(s.In, max(firstRead, len(s.In)))
		}
		n, err := c.r.Body.Read(s.In[len(s.In):cap(s.In)])
		s.In = s.In[:len(s.In)+n]
		c.received += int64(n)
		switch {
		case int64(len(s.In)) > limit:
			return c.tooLarge(limit)
		case err == io.EOF:
			c.bodyEnds()
			return nil
		case err != nil:
			return c.unreadable(err)
		}
	}
}

// bodyBegins bounds the time for reading the body, also for what net/http
// reads of it before it sends a reply to a request that was refused early. One
// that has waited has its body.
func (c *call) bodyBegins() {
	if c.r.ContentLength != 0 && c.BodyTime > 0 && c.waiting == nil {
		// Not every writer has a deadline to set; those of servers do.
		_ = http.NewResponseController(c.w).SetReadDeadline(c.begun.Add(c.BodyTime))
	}
}

// bodyEnds lifts the bound, so that it does not end a wait.
func (c *call) bodyEnds() {
	if c.BodyTime > 0 {
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
	}
}

// unreadable reports a body that cannot be read to its end. To net/http the
// client is gone then, though it may still listen.
func (c *call) unreadable(err error) error {
	c.hangUp()
	c.cutOff = true
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return invalid("The body did not arrive within " + c.BodyTime.String() + ".")
	}
	return invalid("The body could not be read to its end.")
}

func (c *call) tooLarge(limit int64) error {
	c.hangUp()
	return invalid("The body is larger than " + strconv.FormatInt(limit, 10) + " bytes.")
}

// hangUp makes this reply the last one of its connection: what comes behind
// the unread part of a body is lost. It also keeps net/http from reading that
// part before it sends the reply.
func (c *call) hangUp() {
	if c.r.ProtoMajor == 1 {
		c.w.Header()["Connection"] = []string{"close"}
	}
}
