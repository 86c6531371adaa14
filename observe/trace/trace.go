// Package trace follows some of the requests through the server, as spans of
// OpenTelemetry that are sent to a collector by OTLP over HTTP.
//
// Whether a request is followed is decided once, where it comes in. One that is
// not costs a look at a header; what it passes on its way sees from its context
// that there is nothing to do.
//
// It promises that spans never hold up a request: they are dropped when the
// collector does not take them. It knows nothing of queues or stores. Start
// reading at Tracer.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Config says what is followed and where spans go.
type Config struct {
	// Endpoint is the URL of the collector; empty: what the standard variables
	// OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and OTEL_EXPORTER_OTLP_ENDPOINT say,
	// or http://localhost:4318.
	Endpoint string
	Headers  map[string]string // sent to the collector
	Service  string            // service.name of the spans
	Version  string
	// Sampling is which part of the requests is followed, 0 to 1.
	Sampling float64
	// TrustParent lets a request that belongs to a trace (W3C traceparent)
	// continue it, and be followed if the trace is. Without it such a request
	// begins a trace of its own, with a link to the other one, so that clients
	// decide neither what is followed nor where it belongs.
	TrustParent bool
	Log         *slog.Logger
}

// Tracer begins spans.
type Tracer struct {
	config   Config
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// sendTime bounds one try to send spans.
const sendTime = 10 * time.Second

// New returns a Tracer that sends to the collector of the configuration, which
// need not be there yet.
func New(ctx context.Context, c Config) (*Tracer, error) {
	// What the library itself has to say would be printed, headers included.
	otel.SetLogger(logr.Discard())
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	options := []otlptracehttp.Option{otlptracehttp.WithTimeout(sendTime), otlptracehttp.WithCompression(otlptracehttp.GzipCompression)}
	if c.Endpoint != "" {
		u, err := url.Parse(c.Endpoint)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, errors.New("the endpoint is no URL of http or https") // it may hold a password
		}
		if u.Path == "" || u.Path == "/" {
			u.Path = "/v1/traces"
		}
		options = append(options, otlptracehttp.WithEndpointURL(u.String()))
	}
	if len(c.Headers) > 0 {
		options = append(options, otlptracehttp.WithHeaders(c.Headers))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("exporter of spans: %w", err)
	}
	return with(c, &quiet{SpanExporter: exporter, log: c.Log})
}

// with returns a Tracer that sends to an exporter.
func with(c Config, exporter sdk.SpanExporter) (*Tracer, error) {
	about, err := resource.New(context.Background(), resource.WithFromEnv(), resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", c.Service), attribute.String("service.version", c.Version)))
	if err != nil && about == nil {
		return nil, fmt.Errorf("resource of spans: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithSampler(sdk.AlwaysSample()), sdk.WithResource(about), sdk.WithBatcher(exporter))
	return &Tracer{config: c, provider: provider, tracer: provider.Tracer("zaqar")}, nil
}

// Begin begins the span of a request, and returns the context for what happens
// in it. The span is nil if the request is not followed.
func (t *Tracer) Begin(r *http.Request) (context.Context, trace.Span) {
	ctx := r.Context()
	var parent trace.SpanContext
	if r.Header["Traceparent"] != nil {
		parent = trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header)))
	}
	followed := parent.IsSampled()
	if !t.config.TrustParent || !parent.IsValid() {
		followed = t.config.Sampling > 0 && rand.Float64() < t.config.Sampling
	}
	if !followed {
		return ctx, nil
	}
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	switch {
	case !parent.IsValid():
	case t.config.TrustParent:
		ctx = trace.ContextWithRemoteSpanContext(ctx, parent)
	default:
		// The state is as long as a stranger likes, and waits with the span.
		options = append(options, trace.WithLinks(trace.Link{SpanContext: parent.WithTraceState(trace.TraceState{})}))
	}
	return t.tracer.Start(ctx, "request", options...)
}

// Tracer begins spans within those of requests.
func (t *Tracer) Tracer() trace.Tracer { return t.tracer }

// Close sends what is left.
func (t *Tracer) Close(ctx context.Context) error {
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("the last spans could not be sent: %w", reason(err))
	}
	return nil
}

// quiet keeps what an exporter says from being printed by OpenTelemetry, which
// knows nothing of our log nor of secrets.
type quiet struct {
	sdk.SpanExporter
	log    *slog.Logger
	failed atomic.Bool
}

// ExportSpans implements sdk.SpanExporter. The log tells when sending begins to
// fail and when it works again.
func (q *quiet) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := q.SpanExporter.ExportSpans(ctx, spans)
	switch before := q.failed.Swap(err != nil); {
	case err != nil && !before:
		q.log.Warn("tracing: spans cannot be sent and are dropped", "error", reason(err))
	case err == nil && before:
		q.log.Info("tracing: spans are sent again")
	}
	return nil
}

// reason leaves of an error what tells neither addresses nor what a collector
// answered.
func reason(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return errors.New("the collector does not accept them")
}
