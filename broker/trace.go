package broker

import (
	"context"

	"go.opentelemetry.io/otel/trace"

	"zaqar/messaging"
)

// follow begins a span for a use case within the request that ctx belongs to,
// if that is followed, and returns what ends it. ctx becomes that of the span,
// and says who asks if somebody wants to know.
func (b *Broker) follow(ctx *context.Context, who messaging.Caller, useCase string) (end func()) {
	if b.mark != nil {
		*ctx = b.mark(*ctx, who)
	}
	if b.tracer == nil || !trace.SpanFromContext(*ctx).IsRecording() {
		return nothing
	}
	inner, span := b.tracer.Start(*ctx, "broker."+useCase)
	*ctx = inner
	return func() { span.End() }
}

func nothing() {}
