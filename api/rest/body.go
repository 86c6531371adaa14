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
// and purges take less than a hundred.
const smallBody = 64 << 10

// firstRead is how much memory a body gets before any of it has come. It grows
// with what comes, not with what the client announces.
const firstRead = 8 << 10

// hasBody reports whether the request has a body of at least one byte.
func (c *call) hasBody() bool {
	if c.r.ContentLength >= 0 {
		return c.r.ContentLength > 0
	}
	defer c.limitRead()()
	var first [1]byte
	n, _ := io.ReadFull(c.r.Body, first[:])
	rest := c.r.Body
	c.r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(first[:n]), rest), rest}
	return n > 0
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
		return tooLarge(limit)
	}
	defer c.limitRead()()
	for {
		if len(s.In) == cap(s.In) {
			s.In = slices.Grow(s.In, max(firstRead, len(s.In)))
		}
		n, err := c.r.Body.Read(s.In[len(s.In):cap(s.In)])
		s.In = s.In[:len(s.In)+n]
		switch {
		case int64(len(s.In)) > limit:
			return tooLarge(limit)
		case err == io.EOF:
			return nil
		case err != nil:
			return c.unreadable(err)
		}
	}
}

// limitRead bounds the time for reading the body until the function returned
// is called.
func (c *call) limitRead() (done func()) {
	if c.BodyTime <= 0 {
		return func() {}
	}
	conn := http.NewResponseController(c.w)
	if conn.SetReadDeadline(c.Now().Add(c.BodyTime)) != nil {
		return func() {} // not a network connection
	}
	return func() { _ = conn.SetReadDeadline(time.Time{}) }
}

// unreadable reports a body that cannot be read to its end; nothing else can
// be read from the connection then.
func (c *call) unreadable(err error) error {
	if c.r.ProtoMajor == 1 {
		c.w.Header()["Connection"] = []string{"close"}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return invalid("The body did not arrive within " + c.BodyTime.String() + ".")
	}
	return invalid("The body could not be read to its end.")
}

func tooLarge(limit int64) error {
	return invalid("The body is larger than " + strconv.FormatInt(limit, 10) + " bytes.")
}
