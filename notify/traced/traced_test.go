package traced

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"zaqar/messaging"
	"zaqar/notify"
)

const traceID, postID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

// TestFollow has the span of an attempt belong to the post, tell the outcome and
// no address, and go on to the receiver.
func TestFollow(t *testing.T) {
	for _, c := range []struct {
		name    string
		receipt notify.Receipt
		failure *notify.Failure
		status  int64
		failed  string // error.type
	}{
		{"delivered", notify.Receipt{Status: 204}, nil, 204, ""},
		{"delivered without a status", notify.Receipt{}, nil, 0, ""},
		{"refused", notify.Receipt{}, &notify.Failure{Status: 503, What: "The subscriber answered 503.", Err: errors.New("at 192.0.2.1")}, 503, "503"},
		{"no answer", notify.Receipt{}, &notify.Failure{Verdict: notify.Retry, What: "No answer came in time."}, 0, "retry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := tracetest.NewInMemoryExporter()
			provider := sdk.NewTracerProvider(sdk.WithSyncer(ended))
			target, _ := url.Parse("HTTPS://user:secret@hook.example/path?secret=1")
			d := &notify.Delivery{
				Subscription: &messaging.Subscription{ID: "s1", Source: messaging.QueueRef{Project: "p", Name: "q"}, Subscriber: target.String()},
				Subscriber:   target, Attempt: 3, Trace: "00-" + traceID + "-" + postID + "-01", Body: []byte(`"secret"`),
			}
			ctx, end := Follow(provider.Tracer("test"))(t.Context(), d)
			inside := trace.SpanContextFromContext(ctx)
			end(c.receipt, c.failure)

			span := ended.GetSpans()[0]
			if span.Name != "deliver https" || span.SpanKind != trace.SpanKindClient || span.SpanContext.TraceID().String() != traceID || span.Parent.SpanID().String() != postID {
				t.Errorf("%s, %v, in trace %s below %s", span.Name, span.SpanKind, span.SpanContext.TraceID(), span.Parent.SpanID())
			}
			if want := "00-" + traceID + "-" + inside.SpanID().String() + "-01"; d.Trace != want || inside.SpanID() != span.SpanContext.SpanID() {
				t.Errorf("the receiver is sent %s, want %s", d.Trace, want)
			}
			got := map[attribute.Key]attribute.Value{}
			for _, a := range span.Attributes {
				got[a.Key] = a.Value
				if strings.Contains(a.Value.String(), "secret") || strings.Contains(a.Value.String(), "hook.example") {
					t.Errorf("%s tells %s", a.Key, a.Value.String())
				}
			}
			if got["zaqar.attempt"].AsInt64() != 3 || got["zaqar.subscription"].AsString() != "s1" || got["messaging.destination.name"].AsString() != "q" || got["zaqar.project"].AsString() != "p" {
				t.Errorf("attributes %v", span.Attributes)
			}
			if got["http.response.status_code"].AsInt64() != c.status || got["error.type"].AsString() != c.failed || (span.Status.Code == codes.Error) != (c.failure != nil) || strings.Contains(span.Status.Description, "192.0.2.1") {
				t.Errorf("attributes %v, status %v", span.Attributes, span.Status)
			}
		})
	}
}

// What is no place in a trace is left as it is, and the span is one of its own.
func TestFollowNonsense(t *testing.T) {
	provider := sdk.NewTracerProvider(sdk.WithSampler(sdk.NeverSample()))
	d := &notify.Delivery{Subscription: new(messaging.Subscription), Subscriber: new(url.URL), Trace: "nonsense"}
	_, end := Follow(provider.Tracer("test"))(context.Background(), d)
	end(notify.Receipt{}, nil)
	if d.Trace != "nonsense" {
		t.Errorf("the receiver is sent %s", d.Trace)
	}
}
