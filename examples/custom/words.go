package main

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"

	"zaqar/messaging"
	"zaqar/pipeline"
	"zaqar/storage"
)

// refuseWords makes a stage that refuses posts with one of the words in a body.
func refuseWords(list ...string) func(pipeline.Env) (pipeline.Stage, error) {
	return func(env pipeline.Env) (pipeline.Stage, error) {
		return pipeline.Stage{
			Messages: func(next pipeline.MessageStore) pipeline.MessageStore {
				return &words{MessageStore: next, list: list, log: env.Log}
			},
		}, nil
	}
}

type words struct {
	pipeline.MessageStore
	list    []string
	log     *slog.Logger
	refused atomic.Int64
}

// Append implements storage.Messages.
func (w *words) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	for _, d := range drafts {
		if d.Key == "" && w.found(d.Body) { // sealed bodies tell nothing
			who, _ := pipeline.Caller(ctx)
			w.log.Warn("a post was refused", "queue", q.Name, "project", q.Project, "user", who.User, "refused", w.refused.Add(1))
			return storage.Appended{}, messaging.E(messaging.Denied, "The message holds a word that may not be posted.")
		}
	}
	return w.MessageStore.Append(ctx, q, by, drafts, o)
}

func (w *words) found(body []byte) bool {
	for _, word := range w.list {
		if bytes.Contains(body, []byte(word)) {
			return true
		}
	}
	return false
}
