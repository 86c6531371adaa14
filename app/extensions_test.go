package app_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"zaqar/app"
	"zaqar/messaging"
	"zaqar/pipeline"
	"zaqar/storage"
	"zaqar/storage/memory"
)

// doorman is a stage that refuses, panics or notes who posts.
type doorman struct {
	pipeline.MessageStore
	mu    *sync.Mutex
	users *[]string
}

func (d doorman) Append(ctx context.Context, q messaging.QueueRef, by messaging.ClientID, drafts []messaging.Draft, o storage.AppendOptions) (storage.Appended, error) {
	switch string(drafts[0].Body) {
	case `"refuse"`:
		return storage.Appended{}, messaging.E(messaging.Denied, "The doorman says no.")
	case `"panic"`:
		panic("the doorman fell over")
	}
	who, _ := pipeline.Caller(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	*d.users = append(*d.users, string(who.Project)+"/"+string(who.Client))
	return d.MessageStore.Append(ctx, q, by, drafts, o)
}

func TestStagesStandBeforeTheStore(t *testing.T) {
	var mu sync.Mutex
	var users []string
	o := options(t)
	o.Pipelines.Message = append(o.Pipelines.Message, "doorman")
	o.Extensions.Stages = pipeline.Stages{"doorman": func(pipeline.Env) (pipeline.Stage, error) {
		return pipeline.Stage{Messages: func(next pipeline.MessageStore) pipeline.MessageStore { return doorman{next, &mu, &users} }}, nil
	}}
	a := start(t, o)
	for _, tt := range []struct {
		body string
		want int
	}{{`"let me in"`, http.StatusCreated}, {`"refuse"`, http.StatusForbidden}, {`"panic"`, http.StatusInternalServerError}, {`"again"`, http.StatusCreated}} {
		answer, err := http.DefaultClient.Do(a.request(t, "POST", "/v2/queues/q/messages", `{"messages":[{"body":`+tt.body+`}]}`, "X-Project-ID", "p1", "Content-Type", "application/json"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != tt.want {
			t.Errorf("%s: %s", tt.body, answer.Status)
		}
	}
	if got := strings.Join(users, " "); got != "p1/3381af92-2b9e-11e3-b191-71861300734c p1/3381af92-2b9e-11e3-b191-71861300734c" {
		t.Errorf("the stage saw %s", got)
	}
}

func TestStagesThatAreNotThere(t *testing.T) {
	o := options(t)
	o.Pipelines.Claim = []string{"nobody"}
	start(t, o)
	o = options(t)
	o.Pipelines.Claim, o.Pipelines.Strict = []string{"nobody"}, true
	if _, err := app.New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "claim_pipeline names nobody") {
		t.Errorf("strict: %v", err)
	}
}

func TestTheHookNeedsAnURL(t *testing.T) {
	o := options(t)
	o.Pipelines.Queue = []string{"zaqar.http"}
	if _, err := app.New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "zaqar.http of [storage] queue_pipeline: its url") {
		t.Errorf("without an URL: %v", err)
	}
	o.Hook.URL = "http://127.0.0.1:1/"
	a := start(t, o)
	if status, _, text := a.do(t, "PUT", "/v2/queues/q", "", "X-Project-ID", "p"); status != http.StatusServiceUnavailable {
		t.Errorf("with nobody there: %d %s", status, text)
	}
}

func TestDriversOfExtensions(t *testing.T) {
	o := options(t)
	var opened string
	o.Store = app.Store{Driver: "mine", URI: "mine://here"}
	o.Extensions.Drivers = []app.Driver{{Name: "mine", Open: func(uri string, env storage.Env) (storage.Store, error) {
		opened = uri
		return memory.New(env), nil
	}}}
	start(t, o)
	if opened != "mine://here" {
		t.Errorf("opened %q", opened)
	}
	o.Extensions.Drivers[0].Open = func(string, storage.Env) (storage.Store, error) {
		return nil, messaging.E(messaging.Unavailable, "It is away.")
	}
	if _, err := app.New(t.Context(), o); !errors.Is(err, messaging.Unavailable) {
		t.Errorf("a store that cannot be opened: %v", err)
	}
}

// keeper is a stage that does not let queues be deleted.
type keeper struct{ pipeline.QueueStore }

func (keeper) DeleteQueue(context.Context, messaging.QueueRef) error {
	return messaging.E(messaging.Denied, "It stays.")
}

// A queue that may not be deleted keeps what is in it.
func TestStagesProtectQueues(t *testing.T) {
	o := options(t)
	o.Pipelines.Queue = []string{"keeper"}
	o.Extensions.Stages = pipeline.Stages{"keeper": func(pipeline.Env) (pipeline.Stage, error) {
		return pipeline.Stage{Queues: func(next pipeline.QueueStore) pipeline.QueueStore { return keeper{next} }}, nil
	}}
	a := start(t, o)
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/v2/queues/q/messages", `{"messages":[{"body":1}]}`, http.StatusCreated},
		{"DELETE", "/v2/queues/q", "", http.StatusForbidden},
		{"POST", "/v2/queues/q/claims", "", http.StatusCreated}, // 204 if there were none
		{"POST", "/v2/topics/q/messages", `{"messages":[{"body":1}]}`, http.StatusCreated},
		{"DELETE", "/v2/topics/q", "", http.StatusNoContent},
	} {
		if status, _, text := a.do(t, tt.method, tt.path, tt.body, "X-Project-ID", "p1"); status != tt.want {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, status, text)
		}
	}
}
