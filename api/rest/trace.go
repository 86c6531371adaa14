package rest

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"zaqar/messaging"
)

// follow begins the span of the request, unless it goes on with the one that it
// had when it was left with its connection.
func (c *call) follow() {
	if w := c.waiting; w != nil {
		if c.span = w.span; c.span != nil {
			c.r = c.r.WithContext(trace.ContextWithSpan(c.r.Context(), c.span))
		}
		return
	}
	ctx, span := c.Trace(c.r)
	if span == nil {
		return
	}
	c.span = span
	c.r = c.r.WithContext(ctx)
}

// end says in the span what became of the request. There is nothing in it that
// the access log does not have, but for the queue.
func end(span trace.Span, done *Served, queue messaging.QueueRef) {
	name := knownMethod(done.Method)
	if done.Route != "" {
		name += " " + done.Route
	}
	span.SetName(name)
	attrs := []attribute.KeyValue{
		attribute.String("http.request.method", knownMethod(done.Method)),
		attribute.String("http.route", done.Route),
		attribute.Int("http.response.status_code", done.Status),
		attribute.Int64("http.request.body.size", done.Received),
		attribute.Int64("http.response.body.size", done.Bytes),
		attribute.String("zaqar.request_id", done.Request),
		attribute.String("zaqar.project", string(done.Project)),
	}
	if done.Address.IsValid() {
		attrs = append(attrs, attribute.String("client.address", done.Address.String()))
	}
	if messaging.ValidName(queue.Name) && queue.Name != "" {
		attrs = append(attrs, attribute.String("messaging.system", "zaqar"), attribute.String("messaging.destination.name", queue.Name))
	}
	span.SetAttributes(attrs...)
	if done.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(done.Status))
	}
	span.End()
}
