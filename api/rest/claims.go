package rest

import (
	"bytes"
	"net/http"

	"zaqar/api/wire"
	"zaqar/broker"
	"zaqar/messaging"
)

// createClaim serves http-v2 §9.1.
func (c *call) createClaim() error {
	q := c.parameters()
	in := broker.CreateClaim{Limit: q.count("limit"), Wait: q.wait()}
	if q.err != nil {
		return q.err
	}
	var err error
	if in.TTL, in.Grace, err = c.claimTerms(false); err != nil {
		return err
	}
	claim, err := c.claimMessages(in)
	if err != nil || c.parked {
		return err
	}
	if claim.Claim.ID == "" {
		return c.empty(http.StatusNoContent)
	}
	s := c.memory()
	s.Out = wire.AppendClaimHref(s.Out[:0], c.queue, claim.Claim.ID)
	c.locate(s.Out)
	return c.json(http.StatusCreated, func(dst []byte) []byte { return wire.AppendFound(dst, c.queue, claim.Messages) })
}

// claimMessages waits if need be.
func (c *call) claimMessages(in broker.CreateClaim) (claim broker.ClaimView, err error) {
	if in.Wait == 0 {
		in.Arena = &c.memory().Bodies
		return c.broker.CreateClaim(c.r.Context(), c.who, c.queue, in)
	}
	in.TTL, in.Grace = copied(in.TTL), copied(in.Grace)
	body := bytes.Clone(c.memory().In)
	c.forget() // who waits holds no memory
	err = c.wait(body, func(w *broker.Waiter) error {
		in.Waiter = w
		claim, err = c.broker.CreateClaim(c.r.Context(), c.who, c.queue, in)
		return err
	})
	return claim, err
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
