package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// receiver is a connection that waits for messages.
type receiver struct {
	*client
	reads bool // lists everything; else claims and deletes
}

const (
	// waitSeconds is how long the server is asked to wait for a message.
	waitSeconds = 2
	// PollTime is the pause between requests to a server that does not wait.
	PollTime = 10 * time.Millisecond
)

func (r *run) receiver(number int, reads bool) (*receiver, error) {
	c, err := r.client(number)
	if err != nil {
		return nil, err
	}
	c.log.Complete = reads
	return &receiver{client: c, reads: reads}, nil
}

// receive takes what comes until nothing more does after the last post.
func (v *receiver) receive() error {
	limit := strconv.Itoa(v.run.plan.Scenario.Receive)
	path := v.paths + "/claims?limit=" + limit
	next := v.consume
	if v.reads {
		path = v.paths + "/messages?limit=" + limit
		next = v.read
	}
	at := []byte(path + "&" + waiting)
	for {
		stage := v.run.stage.Load()
		n, err := next(&at, stage != working)
		switch {
		case err != nil:
			return err
		case n > 0:
		case stage == allPosted:
			return nil
		case !v.run.plan.Waits || stage == lastPost:
			v.run.pause(PollTime)
		}
	}
}

var waiting = fmt.Sprintf("wait=%d", waitSeconds)

// form returns the path as it is used: when all has been posted nothing is
// waited for.
func (v *receiver) form(path []byte, last bool) []byte {
	if last || !v.run.plan.Waits {
		return bytes.Replace(path, []byte(waiting), []byte("wait=0"), 1)
	}
	return path
}

func (v *receiver) consume(path *[]byte, last bool) (int, error) {
	s := &v.run.plan.Scenario
	v.scratch = v.request(v.scratch[:0], "POST", v.form(*path, last), claiming)
	n, err := v.take(request{op: Wait, bytes: v.scratch}, 0, s.Receive)
	if err != nil || n == 0 {
		return 0, err
	}
	return n, v.deleteTaken(0, s.Bulk)
}

func (v *receiver) read(path *[]byte, last bool) (int, error) {
	v.scratch = v.request(v.scratch[:0], "GET", v.form(*path, last), nil)
	r, err := v.call(request{op: Wait, bytes: v.scratch}, http.StatusOK, http.StatusNoContent)
	if err != nil || r.Status == http.StatusNoContent {
		return 0, err
	}
	p, err := readPage(r.Body, v.run.queues.proof, func(id []byte) { v.log.Listed(0, id) })
	if err != nil || p.n == 0 {
		return 0, misread(v.scratch, err)
	}
	if p.next == nil {
		return 0, errors.New("a page with messages has no link to the next one")
	}
	v.count(p.n)
	*path = v.path((*path)[:0], p.next)
	return p.n, nil
}
