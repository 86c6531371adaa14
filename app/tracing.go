package app

import (
	"context"
	"fmt"
	"time"

	"zaqar/broker"
	"zaqar/observe/trace"
	"zaqar/storage/traced"
)

// Tracing says which requests are followed, and where their spans go.
type Tracing struct {
	Enabled     bool
	Endpoint    string // URL of the collector; empty: as OTEL_EXPORTER_OTLP_ENDPOINT says
	Headers     map[string]string
	Service     string  // the name that the spans carry
	Sampling    float64 // part of the requests, 0 to 1
	TrustParent bool    // requests that belong to a trace continue it
}

// lastSpans bounds how long a stop waits for the collector.
const lastSpans = 5 * time.Second

// follow makes the tracer, nil if there is to be none, and puts spans around
// the parts of the broker.
func (a *App) follow(ctx context.Context, parts *broker.Parts) (*trace.Tracer, error) {
	o := a.options.Tracing
	if !o.Enabled {
		return nil, nil
	}
	t, err := trace.New(ctx, trace.Config{
		Endpoint: o.Endpoint, Headers: o.Headers, Service: o.Service, Version: a.options.Version,
		Sampling: o.Sampling, TrustParent: o.TrustParent, Log: a.log,
	})
	if err != nil {
		return nil, fmt.Errorf("[tracing]: %w", err)
	}
	a.undo.add("send the last spans", lastSpans, func(ctx context.Context) error {
		if err := t.Close(ctx); err != nil {
			a.log.Warn("tracing: the last spans are lost", "error", err)
		}
		return nil // no reason to say that the stop failed
	})
	parts.Tracer = t.Tracer()
	parts.Data, parts.Control = traced.Data(parts.Data, parts.Tracer), traced.Control(parts.Control, parts.Tracer)
	return t, nil
}
