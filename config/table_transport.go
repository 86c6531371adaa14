package config

import (
	"math"
	"net/netip"
	"time"

	"zaqar/api/edge"
)

// maxInt stands for "no upper bound".
const maxInt = math.MaxInt64

// maxInt32 is more than there are of anything that is counted in files.
const maxInt32 = math.MaxInt32

func transportSections() []section {
	return []section{
		{
			Name: "drivers:transport:wsgi",
			Help: "The HTTP API.",
			Options: []Option{
				of("bind", host(), func(s *settings) *string { return &s.HTTP.Bind },
					"The address to listen on. Also --bind."),
				of("port", port(), func(s *settings) *int64 { return &s.HTTP.Port },
					"The port to listen on; 0: any free one, named in the log. Also --port."),
				of("header_timeout", seconds(time.Second, time.Hour), func(s *settings) *time.Duration { return &s.HTTP.HeaderTimeout },
					"How long a client may take to send the headers of a request, seconds."),
				of("body_timeout", seconds(time.Second, time.Hour), func(s *settings) *time.Duration { return &s.REST.BodyTime },
					"How long a client may take to send the body of a request, seconds."),
				of("send_timeout", seconds(time.Second, time.Hour), func(s *settings) *time.Duration { return &s.REST.ReplyTime },
					"How long a client may take to receive an answer, seconds."),
				of("access_log", boolean(), func(s *settings) *bool { return &s.AccessLog },
					"Log one record for each request."),
				of("trusted_proxies", networks(), func(s *settings) *[]netip.Prefix { return &s.REST.Trust.Proxies },
					"Addresses and networks (192.0.2.0/24, 2001:db8::1) of the proxies in front. What they say about where a request came from, and under which path, is believed; nobody else is."),
				of("trust_proxy", boolean(), func(s *settings) *bool { return &s.REST.Trust.Anyone },
					"Without trusted_proxies: believe whoever connects, as if it were the proxy. Only where nothing but the proxy can reach this server."),
				of("forwarded_header", choice(edge.XForwardedFor, edge.Forwarded), func(s *settings) *string { return &s.REST.Trust.Header },
					"The header in which the proxies tell for whom they ask. They must append to it or replace it. The other one is not looked at: it may come from the client."),
				of("idle_timeout", seconds(time.Second, 24*time.Hour), func(s *settings) *time.Duration { return &s.HTTP.IdleTimeout },
					"How long a connection without a request is kept, seconds. Longer than that of a proxy in front."),
				of("max_connections", whole[int64](0, maxInt32), func(s *settings) *int64 { return &s.HTTP.MaxConnections },
					"Most connections at a time; further ones get a 503 and are closed. 0: nine tenths of the files that the process may open, less those that deliveries may need (350 for each of max_notifier_workers, a quarter of all at most)."),
				of("max_connections_per_address", whole[int64](0, maxInt32), func(s *settings) *int64 { return &s.HTTP.MaxConnectionsPerAddress },
					"Most connections at a time from one IPv4 address or IPv6 /64; trusted_proxies are exempt. 0: no limit."),
				of("max_header_bytes", whole[int64](4096, 16<<20), func(s *settings) *int64 { return &s.HTTP.MaxHeaderBytes },
					"Largest headers of a request, bytes."),
			},
		},
		{
			Name: "drivers:transport:websocket",
			Help: "The WebSocket API. Not offered by this version.",
			Options: []Option{
				later("bind", host(), "127.0.0.1", "The address to listen on."),
				later("port", port(), "9000", "The port to listen on."),
				later("external_port", port(), "", "The port announced to clients behind a proxy."),
				later("notification_bind", host(), "", "The address for deliveries from other nodes."),
				later("notification_port", port(), "0", "The port for deliveries from other nodes."),
			},
		},
		{
			Name:    "transport",
			Help:    "Limits and defaults of the API. Lifetimes are seconds, sizes bytes.",
			Options: limitOptions(),
		},
	}
}

func limitOptions() []Option {
	os := []Option{
		of("default_message_ttl", whole[int64](60, maxLife), func(s *settings) *int64 { return &s.Broker.DefaultMessageTTL },
			"Lifetime of a message when neither it nor its queue says."),
		of("default_message_delay", whole[int64](0, maxLife), func(s *settings) *int64 { return &s.Broker.DefaultMessageDelay },
			"Delay of a message on queues that set none."),
		of("default_claim_ttl", whole[int64](60, maxLife), func(s *settings) *int64 { return &s.Broker.DefaultClaimTTL },
			"Lifetime of a claim that asks for none."),
		of("default_claim_grace", whole[int64](60, maxLife), func(s *settings) *int64 { return &s.Broker.DefaultClaimGrace },
			"Extension of claimed messages' lives beyond the claim, when the claim asks for none."),
		of("default_subscription_ttl", whole[int64](60, maxTTL), func(s *settings) *int64 { return &s.Broker.DefaultSubscriptionTTL },
			"Lifetime of a subscription that asks for none."),
		of("max_queues_per_page", whole(1, maxPage), func(s *settings) *int { return &s.Broker.MaxQueuesPerPage },
			"Largest page of a list of queues or topics. A list that asks for no size gets 10, or this if it is less; so do the next ones."),
		of("max_messages_per_page", whole(1, maxPage), func(s *settings) *int { return &s.Broker.MaxMessagesPerPage },
			"Largest page of a list of messages, and most ids in one get or delete."),
		of("max_subscriptions_per_page", whole(1, maxPage), func(s *settings) *int { return &s.Broker.MaxSubscriptionsPerPage },
			"Largest page of a list of subscriptions."),
		of("max_flavors_per_page", whole(1, maxPage), func(s *settings) *int { return &s.Broker.MaxFlavorsPerPage },
			"Largest page of a list of flavors."),
		of("max_pools_per_page", whole(1, maxPage), func(s *settings) *int { return &s.Broker.MaxPoolsPerPage },
			"Largest page of a list of pools."),
		of("max_messages_per_claim_or_pop", whole(1, maxPage), func(s *settings) *int { return &s.Broker.MaxMessagesPerClaimOrPop },
			"Most messages that one claim or pop takes."),
		of("max_queue_metadata", whole[int64](1, maxBody), func(s *settings) *int64 { return &s.Broker.MaxQueueMetadata },
			"Largest metadata of a queue or topic."),
		of("max_messages_post_size", whole[int64](1, maxBody), func(s *settings) *int64 { return &s.Broker.MaxMessagesPostSize },
			"Largest body of a post, and the largest limit that a queue may set for itself."),
		of("max_message_ttl", whole[int64](60, maxLife), func(s *settings) *int64 { return &s.Broker.MaxMessageTTL },
			"Longest lifetime of a message, also of what a queue sets and of dead letters."),
		of("max_message_delay", whole[int64](0, maxLife), func(s *settings) *int64 { return &s.Broker.MaxMessageDelay },
			"Longest delay of a message."),
		of("max_claim_ttl", whole[int64](60, maxLife), func(s *settings) *int64 { return &s.Broker.MaxClaimTTL },
			"Longest lifetime of a claim."),
		of("max_claim_grace", whole[int64](60, maxLife), func(s *settings) *int64 { return &s.Broker.MaxClaimGrace },
			"Longest grace of a claim."),
		of("message_delete_with_claim_id", boolean(), func(s *settings) *bool { return &s.Broker.DeleteNeedsClaims },
			"Deleting several messages at once requires the ids of their claims."),
		of("max_wait", whole[int64](0, 3600), func(s *settings) *int64 { return &s.Broker.MaxWait },
			"Longest time that a request with wait=<seconds> waits for a message; 0 turns waiting off."),
		of("message_encryption_key", text(), func(s *settings) *string { return &s.key },
			"A secret from which the key that encrypts messages is derived. The name of the key is derived as well. There is no default: without a key, no queue can turn encryption on.").secret(),
		of("message_encryption_keys", dict(), func(s *settings) *[]pair { return &s.keys },
			"Several secrets by name, as name:secret,name:secret. The first one encrypts, all of them decrypt: to change the key, put a new one in front. message_encryption_key, if set too, only decrypts.").secret(),
		of("subscriber_types", list(), func(s *settings) *[]string { return &s.Broker.SubscriberTypes },
			"URI schemes that a subscriber may have, in lower case."),
	}
	for i := range os {
		os[i].Live = true
	}
	return append(os,
		of("client_id_uuid_safe", choice("strict", "off"), func(s *settings) *string { return &s.clientIDs },
			"strict: a Client-ID must be a UUID. off: any text of the two lengths below."),
		of("min_length_client_id", whole(1, maxClientID), func(s *settings) *int { return &s.REST.ClientIDs.MinLength },
			"Shortest Client-ID when client_id_uuid_safe = off."),
		of("max_length_client_id", whole(1, maxClientID), func(s *settings) *int { return &s.REST.ClientIDs.MaxLength },
			"Longest Client-ID when client_id_uuid_safe = off, in characters; in bytes it is 255."),
		of("message_encryption_algorithms", choice("AES256", "RSA"), func(s *settings) *string { return &s.algorithm },
			"AES256 is the only one that works: AES-256-GCM. RSA never worked and is refused."),
	)
}

// Bounds that no sensible configuration reaches, so that arithmetic on
// instants and buffers is safe.
const (
	maxLife     = 1<<31 - 1      // seconds, 68 years: what every store can hold
	maxTTL      = 10_000_000_000 // seconds, over 300 years; of subscriptions
	maxBody     = 64 << 20
	maxPage     = 10_000
	maxClientID = 255 // bytes in the worst case
)
