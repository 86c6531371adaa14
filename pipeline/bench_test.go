package pipeline_test

import (
	"log/slog"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/pipeline"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// BenchmarkStages has the look at a queue for messages that become available,
// the quickest operation there is, before a store: without stages, with the
// built-in one, and with two of others.
func BenchmarkStages(b *testing.B) {
	idle := func(pipeline.Env) (pipeline.Stage, error) {
		return pipeline.Stage{Messages: func(next pipeline.MessageStore) pipeline.MessageStore { return struct{ pipeline.MessageStore }{next} }}, nil
	}
	builtin, _ := idle(pipeline.Env{})
	for name, stages := range map[string][]string{"none": nil, "builtin": {pipeline.Notifier}, "others": {"idle", "idle"}} {
		b.Run(name, func(b *testing.B) {
			store := memory.New(storage.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
			defer store.Close()
			p, err := pipeline.New(pipeline.Config{Message: stages}, pipeline.Stages{"idle": idle}, builtin,
				pipeline.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler), Store: store})
			if err != nil {
				b.Fatal(err)
			}
			data, _ := p.Wrap(store, store)
			q := messaging.QueueRef{Project: "p", Name: "q"}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := data.Due(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
