package app

import (
	"zaqar/notify"
	"zaqar/notify/trust"
	"zaqar/observe/metrics"
)

func notifyMetrics(n *notify.Notifier, t *trust.Sender) ([]metrics.Family, func(*metrics.Values)) {
	return []metrics.Family{
			counter("zaqar_delivery_attempts_total", "Attempts to deliver a message or a confirmation to a subscriber, by outcome: delivered, retried, given_up. Deliveries given up because they were too old count without an attempt.", "outcome"),
			{Name: "zaqar_delivery_duration_seconds", Type: metrics.Histogram, Scale: metrics.Seconds, Help: "What an attempt took."},
			counter("zaqar_deliveries_spilled_total", "Deliveries stored in a backlog without an attempt, because the subscriber could not keep up or is left alone."),
			counter("zaqar_deliveries_filtered_total", "Messages that filter policies kept from subscriptions."),
			counter("zaqar_delivery_dead_letters_total", "Deliveries given up, which went to a dead-letter queue or are kept with the subscription."),
			counter("zaqar_delivery_lots_total", "Claims of outboxes and backlogs that held something."),
			counter("zaqar_subscriptions_disabled_total", "Subscriptions disabled because nothing reaches the subscriber."),
			counter("zaqar_trust_token_failures_total", "Requests for tokens of trusts that Keystone did not grant: the deliveries wait."),
			gauge("zaqar_deliveries_in_flight", "Attempts being made."),
			gauge("zaqar_deliveries_in_flight_slow", "Of them, those to subscribers that were slow lately."),
			gauge("zaqar_deliveries_in_memory", "Deliveries in memory, those in flight included. What waits on disk is not counted."),
			gauge("zaqar_delivery_memory_bytes", "Memory of the messages that are being delivered, about."),
			gauge("zaqar_delivery_lanes", "Subscriptions that the notifier keeps in mind."),
			gauge("zaqar_delivery_breakers_open", "Subscribers that are left alone because they do not answer."),
		}, func(v *metrics.Values) {
			s := n.Stats()
			v.Set("zaqar_delivery_attempts_total", float64(s.Delivered), "delivered")
			v.Set("zaqar_delivery_attempts_total", float64(s.Retried), "retried")
			v.Set("zaqar_delivery_attempts_total", float64(s.GivenUp), "given_up")
			v.Histogram("zaqar_delivery_duration_seconds", s.Latency)
			v.Set("zaqar_deliveries_spilled_total", float64(s.Spilled))
			v.Set("zaqar_deliveries_filtered_total", float64(s.Filtered))
			v.Set("zaqar_delivery_dead_letters_total", float64(s.DeadLetters))
			v.Set("zaqar_delivery_lots_total", float64(s.Lots))
			v.Set("zaqar_subscriptions_disabled_total", float64(s.Disabled))
			v.Set("zaqar_trust_token_failures_total", float64(t.TokenFailures()))
			v.Set("zaqar_deliveries_in_flight", float64(s.InFlight))
			v.Set("zaqar_deliveries_in_flight_slow", float64(s.InFlightSlow))
			v.Set("zaqar_deliveries_in_memory", float64(s.Waiting))
			v.Set("zaqar_delivery_memory_bytes", float64(s.WaitingBytes))
			v.Set("zaqar_delivery_lanes", float64(s.Lanes))
			v.Set("zaqar_delivery_breakers_open", float64(s.Breakers))
		}
}
