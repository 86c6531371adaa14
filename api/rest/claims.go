package rest

import (
	"bytes"
	"net/http"

	"zaqar/api/wire"
	"zaqar/broker"
	"zaqar/messaging"
)

// createClaim serves http-v2 §9.1. Its frames are kept apart like those of
// getMessages.
func (c *call) createClaim() error {
	var in broker.CreateClaim
	body, err := c.claimParameters(&in)
	if err != nil {
		return err
	}
	var claim broker.ClaimView
	look := func(w *broker.Waiter) (err error) {
		in.Waiter = w
		claim, err = c.broker.CreateClaim(c.r.Context(), c.who, c.queue, in)
		return err
	}
	if err := c.look(in.Wait, body, look); err != nil || c.parked {
		return err
	}
	return c.sendClaim(&claim)
}

// claimParameters reads what is to be claimed, and returns the body if the
// request may wait.
//
//go:noinline
func (c *call) claimParameters(in *broker.CreateClaim) (body []byte, err error) {
	q := c.parameters()
	in.Limit, in.Wait = q.count("limit"), q.wait()
	if q.err != nil {
		return nil, q.err
	}
	if in.TTL, in.Grace, err = c.claimTerms(false); err != nil {
		return nil, err
	}
	if in.Wait == 0 {
		in.Arena = &c.memory().Bodies
		return nil, nil
	}
	in.TTL, in.Grace = copied(in.TTL), copied(in.Grace)
	body = bytes.Clone(c.memory().In)
	c.forget() // who waits holds no memory
	return body, nil
}

// sendClaim answers with a new claim, or that there is none.
//
//go:noinline
func (c *call) sendClaim(claim *broker.ClaimView) error {
	if claim.Claim.ID == "" {
		return c.empty(http.StatusNoContent)
	}
	s := c.memory()
	s.Out = wire.AppendClaimHref(s.Out[:0], c.queue, claim.Claim.ID)
	c.locate(s.Out)
	return c.json(http.StatusCreated, func(dst []byte) []byte { return wire.AppendFound(dst, c.queue, claim.Messages) })
}

// showClaim serves http-v2 §9.3.
func (c *call) showClaim() error {
	claim, err := c.broker.ShowClaim(c.r.Context(), c.who, c.queue, messaging.ClaimID(c.vars[1]))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendClaim(dst, c.queue, claim) })
}

// updateClaim serves http-v2 §9.5.
func (c *call) updateClaim() error {
	ttl, grace, err := c.claimTerms(true)
	if err != nil {
		return err
	}
	in := broker.UpdateClaim{TTL: ttl, Grace: grace}
	if err := c.broker.UpdateClaim(c.r.Context(), c.who, c.queue, messaging.ClaimID(c.vars[1]), in); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// releaseClaim serves http-v2 §9.6.
func (c *call) releaseClaim() error {
	if err := c.broker.ReleaseClaim(c.r.Context(), c.who, c.queue, messaging.ClaimID(c.vars[1])); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// claimTerms reads the body of a claim request. What it returns is part of the
// memory of the request.
func (c *call) claimTerms(required bool) (ttl, grace *int64, err error) {
	s := c.memory()
	if err := c.read(s, smallBody); err != nil {
		return nil, nil, err
	}
	if len(s.In) > 0 {
		return s.ClaimTerms(s.In)
	}
	if required {
		return nil, nil, invalid("A body is required.")
	}
	return nil, nil, nil
}

func copied(n *int64) *int64 {
	if n == nil {
		return nil
	}
	return new(*n)
}
