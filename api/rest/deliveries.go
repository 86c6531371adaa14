package rest

import (
	"net/http"

	"zaqar/api/wire"
	"zaqar/messaging/delivery"
)

// deliveryRoutes are those below a subscription that the original does not
// have: what became of deliveries, and the keys that sign them.
func deliveryRoutes(one, prefix string) []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{path: one + "/deliveries", on: verbs{get: (*call).showDeliveries}, home: []relation{
			{rel: prefix + "subscription_deliveries", allow: []string{get}, rename: subscriptionVariable}}},
		{path: one + "/replay", on: verbs{post: (*call).replayDeliveries}, home: []relation{
			{rel: prefix + "subscription_replay", allow: []string{post}, accepts: true, rename: subscriptionVariable}}},
		{path: one + "/secret", on: verbs{get: (*call).showSecrets, post: (*call).rotateSecret}, home: []relation{
			{rel: prefix + "subscription_secret", allow: []string{get, post}, rename: subscriptionVariable}}},
	}
}

// showDeliveries tells what became of the deliveries of a subscription.
func (c *call) showDeliveries() error {
	d, err := c.broker.ShowDeliveries(c.r.Context(), c.who, c.queue, c.subscription())
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendDeliveries(dst, &d) })
}

// replayDeliveries makes some of them again.
func (c *call) replayDeliveries() error {
	in, err := document(c, (*wire.Reader).Replay)
	if err != nil {
		return err
	}
	n, err := c.broker.ReplayDeliveries(c.r.Context(), c.who, c.queue, c.subscription(), in)
	if err != nil {
		return err
	}
	return c.json(http.StatusAccepted, func(dst []byte) []byte { return wire.AppendReplayed(dst, n) })
}

// showSecrets shows the keys that sign deliveries.
func (c *call) showSecrets() error {
	return c.secrets(c.broker.ShowSecrets(c.r.Context(), c.who, c.queue, c.subscription()))
}

// rotateSecret puts a new key in front of the others.
func (c *call) rotateSecret() error {
	return c.secrets(c.broker.RotateSecret(c.r.Context(), c.who, c.queue, c.subscription()))
}

// secrets answers with keys, which nobody between here and the client may keep.
func (c *call) secrets(found delivery.Secrets, err error) error {
	if err != nil {
		return err
	}
	c.w.Header()["Cache-Control"] = []string{"no-store"}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendSecrets(dst, found) })
}
