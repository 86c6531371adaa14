package trace

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Carry returns the place of ctx in a trace in the form of W3C traceparent, to
// be sent on with work that is done later; empty if ctx is not followed.
func Carry(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier[traceparent]
}

// Continue returns a context at the place that Carry returned: spans that begin
// in it belong there.
func Continue(ctx context.Context, place string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{traceparent: place})
}

const traceparent = "traceparent"
