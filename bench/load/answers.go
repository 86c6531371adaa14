package load

import "errors"

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

var errBody = errors.New("a message does not have the body that was posted")

// readPage calls f with the ids of the messages. Each must have proof in its
// body.
func readPage(answer, proof []byte, f func(id []byte)) (page, error) {
	var p page
	proofs, err := hrefs(answer, proof, func(href []byte) error {
		if id, _, ok := messageOf(href); ok {
			f(id)
			p.n++
		} else {
			p.next = href
		}
		return nil
	})
	if err == nil && proofs != p.n {
		err = errBody
	}
	return p, err
}

// claimed is the answer to a claim. It can be used again.
type claimed struct {
	n     int
	ids   idList
	hrefs []byte // each ended by a line feed
	claim []byte // its id
}

// read takes the answer apart. Each message must have proof in its body.
func (c *claimed) read(answer, proof []byte) error {
	c.n, c.ids, c.hrefs = 0, c.ids[:0], c.hrefs[:0]
	proofs, err := hrefs(answer, proof, func(href []byte) error {
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
	if err == nil && proofs != c.n {
		err = errBody
	}
	return err
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
