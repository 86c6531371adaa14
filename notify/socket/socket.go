// Package socket delivers to subscribers that are open WebSockets of this
// server (websocket §9).
//
// Such a subscriber is http://HOST:PORT/CONNECTION, the address at which this
// node takes deliveries from others, and the id of a connection. The front that
// holds the connection makes the subscription with delivery.State{Socket: true},
// which is what tells it from a webhook that somebody points there, and which
// exempts it from confirmation. It attaches the connection to the Hub when it
// opens, and detaches it when it closes, by whatever way.
//
// The Sender hands documents for connections of this node to the Hub, without
// the network, and everything else to the Sender of webhooks: a connection of
// another node is reached by a POST to that. Options of the subscription apply as
// they do there (post_data). A connection that is gone takes everything, so that
// nobody tries again; its subscriptions are removed by the front, or expire. One
// that does not read what it got gets no more: its function reports that its
// queue is full, the delivery is given up, and the front closes the connection
// (1013).
package socket

import (
	"context"
	"net/url"
	"strings"
	"sync"

	"zaqar/messaging/delivery"
	"zaqar/notify"
)

// Hub knows the open connections of this node. The zero value knows none.
type Hub struct {
	mu    sync.RWMutex
	conns map[string]Deliver
}

// Deliver puts a document into the outgoing queue of a connection, without
// waiting, and reports false if the queue has no room. It must not keep the
// document.
type Deliver func(document []byte) bool

// Attach makes a connection known. An id is used once.
func (h *Hub) Attach(id string, d Deliver) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns == nil {
		h.conns = map[string]Deliver{}
	}
	h.conns[id] = d
}

// Detach forgets a connection. Its function is not called any more when Detach
// has returned.
func (h *Hub) Detach(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, id)
}

// Send gives a document to a connection, and reports false if that has no room
// for it. A connection that is not there has.
func (h *Hub) Send(id string, document []byte) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	d := h.conns[id]
	return d == nil || d(document)
}

// Sender is a notify.Sender for the schemes of webhooks.
type Sender struct {
	hub   *Hub
	here  string
	hooks notify.Sender
}

// New returns a Sender. here is the host and port in the subscribers of this
// node.
func New(hub *Hub, here string, hooks notify.Sender) *Sender {
	return &Sender{hub, strings.ToLower(here), hooks}
}

// Check implements notify.Sender, for subscribers that clients name.
func (s *Sender) Check(ctx context.Context, subscriber *url.URL, o *delivery.Options) error {
	return s.hooks.Check(ctx, subscriber, o)
}

// Send implements notify.Sender.
func (s *Sender) Send(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
	if !d.Socket || !strings.EqualFold(d.Subscriber.Host, s.here) {
		return s.hooks.Send(ctx, d)
	}
	if !s.hub.Send(strings.TrimPrefix(d.Subscriber.Path, "/"), d.Options.Payload(d.Document)) {
		return notify.Receipt{}, &notify.Failure{Verdict: notify.GiveUp, What: "The connection does not read what it gets."}
	}
	return notify.Receipt{}, nil
}
