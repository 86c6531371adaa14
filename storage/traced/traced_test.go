package traced_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/memory"
	"zaqar/storage/storagetest"
	"zaqar/storage/traced"
)

// store is a memory store with spans around it.
type store struct {
	storage.Data
	storage.Control
	below *memory.Store
}

func (s store) Ping(ctx context.Context) error                   { return s.below.Ping(ctx) }
func (s store) Sweep(ctx context.Context) (storage.Swept, error) { return s.below.Sweep(ctx) }
func (s store) Close() error                                     { return s.below.Close() }

func wrap(s *memory.Store, p *sdk.TracerProvider) store {
	t := p.Tracer("test")
	return store{traced.Data(s, t), traced.Control(s, t), s}
}

func TestSpans(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	p := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	s := wrap(memory.New(storage.Env{Now: time.Now}), p)
	ref := messaging.QueueRef{Project: "p", Name: "q"}
	drafts := []messaging.Draft{{TTL: 60, Body: []byte("1")}, {TTL: 60, Body: []byte("2")}}

	if _, err := s.Append(t.Context(), ref, "c", drafts, storage.AppendOptions{}); err != nil || len(spans.Ended()) != 0 {
		t.Fatalf("for a request that is not followed: %v, %d spans", err, len(spans.Ended()))
	}
	ctx, request := p.Tracer("test").Start(t.Context(), "request")
	put, err := s.Append(ctx, ref, "c", drafts, storage.AppendOptions{})
	ids := put.IDs
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateQueue(ctx, ref, nil); err != nil {
		t.Fatal(err)
	}
	hold := storage.Hold{By: []messaging.ClaimID{"none"}}
	if err := s.Remove(ctx, ref, ids[:1], hold); err == nil {
		t.Fatal("the removal did not fail")
	}
	request.End()
	var got []string
	for _, span := range spans.Ended() {
		line := span.Name() + " " + span.Status().Code.String()
		for _, a := range span.Attributes() {
			line += " " + string(a.Key) + "=" + a.Value.String()
		}
		if span.Name() != "request" && span.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("%s is not in the request", span.Name())
		}
		got = append(got, line)
	}
	want := []string{
		"store.Append Unset messaging.batch.message_count=2",
		"store.CreateQueue Unset",
		"store.Remove Error messaging.batch.message_count=1 error.type=not claimed",
		"request Unset",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestSurveyor keeps what the store below can do.
func TestSurveyor(t *testing.T) {
	p := sdk.NewTracerProvider()
	below := memory.New(storage.Env{Now: time.Now})
	if _, ok := traced.Data(below, p.Tracer("test")).(storage.Surveyor); !ok {
		t.Error("a survey is no longer possible")
	}
	if _, ok := traced.Data(struct{ storage.Data }{below}, p.Tracer("test")).(storage.Surveyor); ok {
		t.Error("a store that offers no survey does now")
	}
}

// TestKeepsTheContract has all operations pass through spans.
func TestKeepsTheContract(t *testing.T) {
	p := sdk.NewTracerProvider()
	storagetest.Run(t, storagetest.Harness{Open: func(_ testing.TB, env storage.Env) storagetest.Store {
		return wrap(memory.New(env), p)
	}})
}
