package main

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"sync"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// openCapped opens a store in memory that takes so many messages and no more:
// capped:?messages=1000.
func openCapped(uri string, env storage.Env) (storage.Store, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "capped" {
		return nil, errors.New("the uri of [drivers:message_store:capped] must begin with capped:?")
	}
	most, err := strconv.Atoi(u.Query().Get("messages"))
	if err != nil || most < 1 {
		return nil, errors.New("the uri of [drivers:message_store:capped] must say how many messages: capped:?messages=1000")
	}
	return &capped{Store: memory.New(env), most: most}, nil
}

// capped is a store made of another one.
type capped struct {
	storage.Store
	most int
	mu   sync.Mutex // one post at a time, so that none slips through
}

// Append implements storage.Messages. What waits for subscribers is let through:
// its post was.
func (c *capped) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	if q.Part != "" {
		return c.Store.Append(ctx, q, by, drafts, o)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	total, _, err := c.Volume(ctx)
	if err != nil {
		return storage.Appended{}, err
	}
	if more := len(drafts) * (1 + len(o.Also)); total+more > c.most {
		return storage.Appended{}, messaging.E(messaging.Unavailable, "The store is full.")
	}
	return c.Store.Append(ctx, q, by, drafts, o)
}
