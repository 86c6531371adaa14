package rest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// TestMemoryIsNeverShared has many clients send bodies that say whose they are,
// beside requests that fail in every way: what each reads is its own, whatever
// memory the server used for it before.
func TestMemoryIsNeverShared(t *testing.T) {
	for name, open := range map[string]open{"memory": openMemory, "embedded": openEmbedded} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, open, func(set *setup) { set.broker.Checksums = true })
			var all sync.WaitGroup
			for n := range 12 {
				all.Go(func() {
					(&owner{s: s, name: fmt.Sprintf("q%d", n), rand: rand.New(rand.NewPCG(1, uint64(n)))}).work(12)
				})
			}
			all.Wait()
		})
	}
}

// owner is a client with a queue of its own.
type owner struct {
	s    *server
	name string
	rand *rand.Rand
	sent int
}

// body returns a JSON text that no other call returns, of 20 bytes to 20 kB.
func (o *owner) body() string {
	o.sent++
	mark := fmt.Sprintf("%s:%d;", o.name, o.sent)
	return `{"\u0061":"` + strings.Repeat(mark, 1+o.rand.IntN(20_000>>o.rand.IntN(12))/len(mark)) + `"}`
}

func (o *owner) work(rounds int) {
	s, path := o.s, "/v2/queues/"+o.name
	for range rounds {
		switch o.rand.IntN(6) { // so that memory in every state goes round
		case 0:
			s.post(path+"/messages", `{"messages":[{"ttl":61,"body":`+o.body()).want(400)
		case 1:
			s.post(path+"/messages", `{"messages":[{"ttl":1,"body":`+o.body()+`}]}`).want(400)
		case 2:
			s.post(path+"/messages", strings.Repeat(" ", 300_000)).want(400)
		case 3:
			s.dial().write("POST " + path + "/messages HTTP/1.1\r\n{id}Content-Length: 30000\r\n\r\n{" + o.body()).conn.Close()
		case 4:
			s.post(path+"/claims", `{"ttl":1}`).want(400)
		case 5:
			s.put(path, `{"about":`+o.body()+`}`).want(201, 204)
		}
		sent := make([]string, 1+o.rand.IntN(5))
		for i := range sent {
			sent[i] = o.body()
		}
		ttl := int64(60 + o.rand.IntN(1000))
		var items []string
		for _, body := range sent {
			items = append(items, fmt.Sprintf(`{"ttl":%d,"body":%s}`, ttl, body))
		}
		ids := s.postedItems(o.name, items...)
		o.check("list", s.get(path+"/messages?echo=true&limit=20").want(200), sent, ttl)
		o.check("found", s.get(path+"/messages?ids="+strings.Join(ids, ",")).want(200), sent, ttl)
		terms := int64(60 + o.rand.IntN(1000))
		claimed := s.post(path+"/claims?limit=20", fmt.Sprintf(`{"ttl":%d,"grace":60}`, terms)).want(201)
		o.check("claimed", claimed, sent, ttl)
		if got := int64(s.get(claimed.header.Get("Location")).want(200).num("ttl")); got != terms {
			s.t.Errorf("%s: a claim for %d seconds, want %d", o.name, got, terms)
		}
		s.delete(path + "/messages?ids=" + strings.Join(ids, ",")).want(204)
		s.get(path + "/messages?echo=true&include_claimed=true").want(200).wantJSON(`{"messages":[],"links":[]}`)
	}
}

// check compares the bodies of a page, and their lifetimes unless a claim has
// prolonged them.
func (o *owner) check(what string, r *reply, sent []string, ttl int64) {
	o.s.t.Helper()
	got := r.bodies()
	if len(got) != len(sent) {
		o.s.t.Errorf("%s, %s: %d messages, want %d", o.name, what, len(got), len(sent))
		return
	}
	for i := range sent {
		if got[i] != sent[i] {
			o.s.t.Errorf("%s, %s: %.60s, want %.60s", o.name, what, got[i], sent[i])
		}
		if shown := int64(r.num(fmt.Sprintf("messages.%d.ttl", i))); what != "claimed" && shown != ttl {
			o.s.t.Errorf("%s, %s: a ttl of %d, want %d", o.name, what, shown, ttl)
		}
	}
}
