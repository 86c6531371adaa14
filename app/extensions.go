package app

import (
	"fmt"
	"maps"
	"time"

	"zaqar/api/rest"
	"zaqar/broker"
	"zaqar/observe/trace"
	"zaqar/pipeline"
	"zaqar/pipeline/hook"
	"zaqar/storage"
)

// Extensions are what a program adds to the server that it is built of.
type Extensions struct {
	// Stages may be named in [storage] *_pipeline.
	Stages pipeline.Stages
	// Drivers may be named in [drivers] message_store.
	Drivers []Driver
	// Tasks verify what requests bring in their EXTRA-SPEC header, by the names
	// that stand there: a code sent to a subscriber, say, beside whatever
	// authenticates the request.
	Tasks map[string]rest.Verifier
}

// Driver is a kind of store. Package storage/storagetest checks what it has to
// keep.
type Driver struct {
	// Name is its name in [drivers] message_store, and that of its section,
	// [drivers:message_store:<name>].
	Name string
	// Open opens the store that uri names, the key of the section. It is called
	// once, and the store is closed when the server stops.
	Open func(uri string, env storage.Env) (storage.Store, error)
}

// StageHTTP is the name of the stage that asks a service over HTTP.
const StageHTTP = hook.Name

// Stages lists the names of the stages that are built in.
func Stages() []string { return []string{pipeline.Notifier, StageHTTP} }

// stages puts the stages that the configuration names between broker and store.
func (a *App) stages(store storage.Store, parts *broker.Parts) error {
	all := pipeline.Stages{hook.Name: hook.Stage(a.options.Hook)}
	maps.Copy(all, a.options.Extensions.Stages)
	p, err := pipeline.New(a.options.Pipelines, all, a.announcing(),
		pipeline.Env{Now: time.Now, Log: a.log, Store: store})
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	parts.Data, parts.Control = p.Wrap(parts.Data, parts.Control)
	if p.Foreign() {
		parts.Mark = pipeline.WithCaller
	}
	return nil
}

// announcing is the stage pipeline.Notifier.
func (a *App) announcing() pipeline.Stage {
	if a.notifier == nil {
		return pipeline.Stage{}
	}
	return pipeline.Stage{Messages: func(next pipeline.MessageStore) pipeline.MessageStore {
		return a.notifier.Announcing(next, trace.Carry)
	}}
}
