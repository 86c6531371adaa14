package load

import "bytes"

// What is of interest in the answers to posts, lists and claims.

// claiming is the body of a claim: long enough not to end during a run.
var claiming = []byte(`{"ttl":3600,"grace":60}`)

// posted calls f with the ids in the answer to a post, and counts them.
func posted(answer []byte, f func(id []byte)) (n int, err error) {
	err = resources(answer, func(path []byte) error {
		id, _, ok := messageOf(path)
		if !ok {
			return errForm
		}
		f(id)
		n++
		return nil
	})
	return n, err
}

// page is a page of a list.
type page struct {
	n    int    // how many messages
	next []byte // href of the next page, or nil; valid as long as the answer
}

// readPage calls f with the ids of the messages.
func readPage(answer []byte, f func(id []byte)) (page, error) {
	var p page
	err := hrefs(answer, func(href []byte) error {
		if id, _, ok := messageOf(href); ok {
			f(id)
			p.n++
		} else {
			p.next = href
		}
		return nil
	})
	return p, err
}

// claimed is the answer to a claim. It can be used again.
type claimed struct {
	n     int
	ids   idList
	hrefs []byte // each ended by a line feed
	claim []byte // its id
}

func (c *claimed) read(answer []byte) error {
	c.n, c.ids, c.hrefs = 0, c.ids[:0], c.hrefs[:0]
	return hrefs(answer, func(href []byte) error {
		id, claim, ok := messageOf(href)
		if !ok || len(claim) == 0 {
			return errForm
		}
		c.hrefs = append(append(c.hrefs, href...), '\n')
		c.ids = c.ids.add(0, id)
		c.claim = append(c.claim[:0], claim...)
		c.n++
		return nil
	})
}

// bulk appends what deletes all of it with one request to the queue's path.
func (c *claimed) bulk(path []byte) []byte {
	path = append(path, "/messages?ids="...)
	at := len(path)
	path = append(path, c.ids[:max(0, len(c.ids)-1)]...)
	for i := at; i < len(path); i++ {
		if path[i] == '\n' {
			path[i] = ','
		}
	}
	return append(append(path, "&claim_ids="...), c.claim...)
}

// anchor is how much of a body is searched for before all of it is compared:
// what processors can look for in one go.
const anchor = 32

// bodies counts the messages in an answer that have the body they were posted
// with.
func (q *Queues) bodies(answer []byte) int {
	short := q.proof[:min(anchor, len(q.proof))]
	for n := 0; ; n++ {
		i := bytes.Index(answer, short)
		if i < 0 || !bytes.HasPrefix(answer[i:], q.proof) {
			return n
		}
		answer = answer[i+len(q.proof):]
	}
}
