package rest

import (
	"net/http"

	"zaqar/api/wire"
	"zaqar/broker"
	"zaqar/messaging"
)

// subscriptionRoutes are those below a queue or topic. The relations of topics
// have names of their own.
func subscriptionRoutes(container, prefix string) []route {
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	all, one := container+"/subscriptions", container+"/subscriptions/{subscription_id}"
	return append([]route{
		{path: all, on: verbs{get: (*call).listSubscriptions, post: (*call).createSubscription}, home: []relation{
			{rel: prefix + "subscriptions_get", query: "{?marker,limit}", allow: []string{get}, limit: "subscription_limit"},
			{rel: prefix + "subscriptions_post", allow: []string{post}, accepts: true, limit: "subscription_limit", more: []string{"limit"}}}},
		{path: one, on: verbs{get: (*call).showSubscription, patch: (*call).updateSubscription, del: (*call).deleteSubscription}, home: []relation{
			{rel: prefix + "subscription", allow: []string{get, del}, rename: subscriptionVariable},
			{rel: prefix + "subscription_patch", allow: []string{patch}, accepts: true, rename: subscriptionVariable}}},
		{path: one + "/confirm", on: verbs{put: (*call).confirmSubscription}, home: []relation{
			{rel: prefix + "subscription_confirm", allow: []string{put}, rename: subscriptionVariable}}},
	}, deliveryRoutes(one, prefix)...)
}

// subscriptionVariable is what the home document calls the variable of these
// paths.
var subscriptionVariable = [2]string{"subscription_id", "subscriptions_id"}

// listSubscriptions serves http-v2 §12.2.
func (c *call) listSubscriptions() error {
	q := c.parameters()
	in := broker.ListSubscriptions{Limit: q.count("limit"), Marker: messaging.SubscriptionID(q.text("marker"))}
	if q.err != nil {
		return q.err
	}
	page, err := c.broker.ListSubscriptions(c.r.Context(), c.who, c.queue, in)
	if err != nil {
		return err
	}
	var next []byte
	if n := len(page.List); n > 0 {
		link := nextPage{append(wire.AppendSubscriptionsHref(nil, c.queue), '?')}
		link.ints(q, "limit")
		next = link.href(string(page.List[n-1].ID))
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendSubscriptions(dst, page, next) })
}

// createSubscription serves http-v2 §12.3.
func (c *call) createSubscription() error {
	in, err := document(c, (*wire.Reader).NewSubscription)
	if err != nil {
		return err
	}
	made, err := c.broker.CreateSubscription(c.r.Context(), c.who, c.queue, in)
	c.created = made.Queue
	if err == nil || is(err, messaging.Conflict) {
		c.locate(wire.AppendSubscriptionsHref(nil, c.queue))
	}
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, func(dst []byte) []byte { return wire.AppendSubscribed(dst, made.ID) })
}

// showSubscription serves http-v2 §12.4.
func (c *call) showSubscription() error {
	sub, now, err := c.broker.ShowSubscription(c.r.Context(), c.who, c.queue, c.subscription())
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, func(dst []byte) []byte { return wire.AppendSubscription(dst, &sub, now) })
}

// updateSubscription serves http-v2 §12.5.
func (c *call) updateSubscription() error {
	in, err := document(c, (*wire.Reader).SubscriptionUpdate)
	if err != nil {
		return err
	}
	if err := c.broker.UpdateSubscription(c.r.Context(), c.who, c.queue, c.subscription(), in); err != nil {
		return err
	}
	c.locateSubscription("")
	return c.empty(http.StatusNoContent)
}

// deleteSubscription serves http-v2 §12.6.
func (c *call) deleteSubscription() error {
	if err := c.broker.DeleteSubscription(c.r.Context(), c.who, c.queue, c.subscription()); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// confirmSubscription serves http-v2 §12.7.
func (c *call) confirmSubscription() error {
	confirmed, err := document(c, (*wire.Reader).Confirmation)
	if err != nil {
		return err
	}
	if err := c.broker.ConfirmSubscription(c.r.Context(), c.who, c.queue, c.subscription(), confirmed); err != nil {
		return err
	}
	c.locateSubscription("/confirm")
	return c.empty(http.StatusNoContent)
}

// subscription is the one that the path names.
func (c *call) subscription() messaging.SubscriptionID { return messaging.SubscriptionID(c.vars[1]) }

// locateSubscription sets the Location header to a path of the subscription,
// which exists: its id needs no escape.
func (c *call) locateSubscription(below string) {
	at := append(wire.AppendSubscriptionsHref(nil, c.queue), '/')
	c.locate(append(append(at, c.vars[1]...), below...))
}
