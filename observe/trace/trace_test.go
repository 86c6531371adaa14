package trace

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	sampled = "00-" + traceID + "-00f067aa0ba902b7-01"
	not     = "00-" + traceID + "-00f067aa0ba902b7-00"
)

// TestBegin shows who decides what is followed, and to which trace it belongs.
func TestBegin(t *testing.T) {
	for _, c := range []struct {
		name        string
		sampling    float64
		trust       bool
		parent      string
		followed    bool
		same, links bool // belongs to the parent's trace, or is linked to it
	}{
		{"alone, all are followed", 1, false, "", true, false, false},
		{"alone, none are followed", 0, false, "", false, false, false},
		{"a stranger's trace", 1, false, sampled, true, false, true},
		{"a stranger does not decide", 0, false, sampled, false, false, false},
		{"a stranger does not decide against it", 1, false, not, true, false, true},
		{"a trusted trace", 1, true, sampled, true, true, false},
		{"a trusted trace is followed all the same", 0, true, sampled, true, true, false},
		{"a trusted trace that is not followed", 1, true, not, false, false, false},
		{"trusted, alone", 1, true, "", true, false, false},
		{"nonsense", 1, true, "00-zz-zz-01", true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := tracetest.NewInMemoryExporter()
			tracer, err := with(Config{Sampling: c.sampling, TrustParent: c.trust, Service: "z"}, ended)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest("GET", "/", nil)
			if c.parent != "" {
				r.Header.Set("traceparent", c.parent)
			}
			ctx, span := tracer.Begin(r)
			if (span != nil) != c.followed || trace.SpanFromContext(ctx).IsRecording() != c.followed {
				t.Fatalf("followed: %v", span != nil)
			}
			if span == nil {
				if Carry(ctx) != "" {
					t.Errorf("carried: %s", Carry(ctx))
				}
				return
			}
			later := trace.SpanContextFromContext(Continue(context.Background(), Carry(ctx)))
			if !later.Equal(span.SpanContext().WithRemote(true)) {
				t.Errorf("carried and continued: %v", later)
			}
			span.End()
			if err := tracer.provider.ForceFlush(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := ended.GetSpans()[0]
			if (got.SpanContext.TraceID().String() == traceID) != c.same || len(got.Links) == 1 != c.links {
				t.Errorf("trace %s, links %v", got.SpanContext.TraceID(), got.Links)
			}
			if !strings.Contains(got.Resource.String(), "service.name=z") {
				t.Errorf("resource %s", got.Resource)
			}
		})
	}
}

// TestStateOfStrangers has a client send a tracestate: it goes on only with a
// trace that is trusted.
func TestStateOfStrangers(t *testing.T) {
	for _, trust := range []bool{false, true} {
		ended := tracetest.NewInMemoryExporter()
		tracer, err := with(Config{Sampling: 1, TrustParent: trust}, ended)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("traceparent", sampled)
		r.Header.Set("tracestate", "vendor="+strings.Repeat("x", 200))
		_, span := tracer.Begin(r)
		span.End()
		if err := tracer.provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := ended.GetSpans()[0]
		state := got.SpanContext.TraceState().Len()
		for _, l := range got.Links {
			state += l.SpanContext.TraceState().Len()
		}
		if (state > 0) != trust {
			t.Errorf("trusted %v: %d members of state", trust, state)
		}
	}
}

func TestSamplingFollowsAPart(t *testing.T) {
	tracer, err := with(Config{Sampling: 0.5}, tracetest.NewNoopExporter())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for range 2000 {
		if _, span := tracer.Begin(httptest.NewRequest("GET", "/", nil)); span != nil {
			n++
		}
	}
	if n < 800 || n > 1200 {
		t.Errorf("%d of 2000 are followed", n)
	}
}

func TestEndpointsThatAreNone(t *testing.T) {
	for _, endpoint := range []string{"collector:4318", "ftp://user:secret@h", "http://", "://secret"} {
		_, err := New(t.Context(), Config{Endpoint: endpoint, Log: slog.New(slog.DiscardHandler)})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// broken is an exporter that fails as often as told.
type broken struct {
	sdk.SpanExporter
	errs []error
}

func (b *broken) ExportSpans(context.Context, []sdk.ReadOnlySpan) error {
	err := b.errs[0]
	b.errs = b.errs[1:]
	return err
}

// TestFailuresAreToldOnce has the collector go away and come back.
func TestFailuresAreToldOnce(t *testing.T) {
	var log bytes.Buffer
	refused := &url.Error{Op: "Post", URL: "http://u:secret@h", Err: errors.New("connection refused")}
	q := &quiet{log: slog.New(slog.NewTextHandler(&log, nil)),
		SpanExporter: &broken{errs: []error{nil, refused, errors.New("secret answer"), nil, errors.New("secret answer")}}}
	for range 5 {
		if err := q.ExportSpans(t.Context(), nil); err != nil {
			t.Errorf("OpenTelemetry is told: %v", err)
		}
	}
	text := log.String()
	for _, want := range []string{"connection refused", "are sent again", "does not accept"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("no %q, or too often", want)
		}
	}
	if strings.Count(text, "\n") != 3 || strings.Contains(text, "secret") {
		t.Errorf("log:\n%s", text)
	}
}

func BenchmarkNotFollowed(b *testing.B) {
	tracer, err := with(Config{Sampling: 0.000001}, tracetest.NewNoopExporter())
	if err != nil {
		b.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	b.ReportAllocs()
	for b.Loop() {
		tracer.Begin(r)
	}
}
