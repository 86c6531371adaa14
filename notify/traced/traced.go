// Package traced puts spans around attempts to deliver messages whose posts are
// followed. It is only there when tracing is on.
//
// Such a span belongs to the trace of the post, however much later the attempt
// is made. Its place goes to the receiver, who can go on with the trace. It holds
// nothing of the message, nor where the subscriber is: addresses hold secrets.
package traced

import (
	"context"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"zaqar/notify"
	place "zaqar/observe/trace"
)

// Follow returns what a Notifier is given to begin the spans of attempts.
func Follow(t trace.Tracer) func(context.Context, *notify.Delivery) (context.Context, func(notify.Receipt, *notify.Failure)) {
	return func(ctx context.Context, d *notify.Delivery) (context.Context, func(notify.Receipt, *notify.Failure)) {
		source := d.Subscription.Source
		ctx, span := t.Start(place.Continue(ctx, d.Trace), "deliver "+strings.ToLower(d.Subscriber.Scheme),
			trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
				attribute.String("messaging.system", "zaqar"),
				attribute.String("messaging.destination.name", source.Name),
				attribute.String("zaqar.project", string(source.Project)),
				attribute.String("zaqar.subscription", string(d.Subscription.ID)),
				attribute.Int("zaqar.attempt", d.Attempt)))
		if here := place.Carry(ctx); here != "" {
			d.Trace = here
		}
		return ctx, func(r notify.Receipt, f *notify.Failure) { end(span, r, f) }
	}
}

func end(span trace.Span, r notify.Receipt, f *notify.Failure) {
	status := r.Status
	if f != nil {
		status = f.Status
		kind := f.Verdict.String()
		if status > 0 {
			kind = strconv.Itoa(status)
		}
		span.SetAttributes(attribute.String("error.type", kind))
		span.SetStatus(codes.Error, f.What) // as the owner of the subscription may see it
	}
	if status > 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	span.End()
}
