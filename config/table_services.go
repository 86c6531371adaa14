package config

import (
	"slices"
	"time"
)

func serviceSections() []section {
	return slices.Concat(pipelineSections(), []section{
		{
			Name: "pooling:catalog",
			Help: "Pools.",
			Options: []Option{
				later("enable_virtual_pool", boolean(), "False", "Use the configured store for queues that are in no pool."),
			},
		},
		{
			Name: "signed_url",
			Help: "Pre-signed URLs.",
			Options: []Option{
				of("secret_key", text(), func(s *settings) *string { return &s.SignedURL.Key },
					"The key of signatures, the same on all nodes: a long random text. Keep it, so that URLs already given out stay valid. Empty: no URLs are signed, and no signature is right.").secret().live(),
				each("old_secret_key", text(), func(s *settings) *[]string { return &s.SignedURL.Old }, "",
					"A key that signs no longer and whose signatures stay valid. May be repeated.").secret().live(),
				of("max_lifetime", seconds(0, 100*365*24*time.Hour), func(s *settings) *time.Duration { return &s.REST.ShareLimit },
					"How far ahead a grant may expire, seconds; who asks for more is refused. 0: any date. Signatures that were made are not concerned."),
			},
		},
		{
			Name: "notification",
			Help: "Deliveries to subscribers.",
			Options: slices.Concat(mailOptions(), []Option{
				of("webhook_timeout", seconds(time.Second, 10*time.Minute), func(s *settings) *time.Duration { return &s.Webhooks.Timeout },
					"Seconds that an attempt to deliver over HTTP may take from beginning to end. It may be repeated then."),
				of("allowed_targets", targets(), func(s *settings) *[]string { return &s.Webhooks.Allow },
					"Where HTTP deliveries may go beside the public Internet: addresses, networks, hosts, and *.domain for all hosts below. "+
						"Whoever can subscribe can send requests there, 127.0.0.1 and this server included if they are named.").live(),
				of("denied_targets", targets(), func(s *settings) *[]string { return &s.Webhooks.Deny },
					"Where they may not go, whatever allowed_targets says: public addresses of services of one's own, such as the load balancer in front of this server.").live(),
				of("egress_proxy", proxyURL(), func(s *settings) *string { return &s.Webhooks.Proxy },
					"The proxy through which all HTTP deliveries go: http://user:password@host:port. It resolves the names of receivers, and has to "+
						"see to it that they are not inside; this server refuses addresses and private names only. HTTP_PROXY and the like are not heeded.").secret(),
				of("webhook_ca_file", path(), func(s *settings) *string { return &s.Webhooks.CAFile },
					"Authorities that may sign certificates of receivers, beside those the system trusts, as PEM.").read(delivers),
				of("max_notifier_workers", whole[int64](1, 10_000), func(s *settings) *int64 { return &s.Notification.Workers },
					"For each, 50 deliveries may be in flight at a time: a worker does not wait for one answer."),
				of("delivery_lifetime", seconds(10*time.Minute, 14*24*time.Hour), func(s *settings) *time.Duration { return &s.Notification.Lifetime },
					"How long a delivery is attempted, seconds: from its first attempt, or from the post if it was held back before it."),
				of("disable_after", seconds(0, 365*24*time.Hour), func(s *settings) *time.Duration { return &s.Notification.DisableAfter },
					"After how long a time of nothing but failures a subscription is disabled, seconds. 0: never."),
				of("event_queue", queueName(), func(s *settings) *string { return &s.Notification.EventQueue },
					"The queue of a project that is told when one of its subscriptions is disabled, if that names no dead_letter_queue. Empty: nobody is told."),
				of("max_deliveries_per_host", whole(1, 100_000), func(s *settings) *int { return &s.Notification.PerHost },
					"Deliveries in flight to one host and port. A project alone there has three quarters of them; the rest is left for others."),
				of("max_deliveries_per_subscription", whole(1, 1_000), func(s *settings) *int { return &s.Notification.PerSubscription },
					"Deliveries in flight for one subscription, when more than a few wait. 1 keeps posts in their order for as long as nothing fails."),
				of("max_confirmations_per_project", whole(0, 1_000_000_000), func(s *settings) *int { return &s.Notification.Confirmations },
					"How many documents about confirmation a project may cause in ten minutes, on each server. Further subscriptions are answered 429. 0: any number."),
				of("require_confirmation", boolean(), func(s *settings) *bool { return &s.Broker.RequireConfirmation },
					"Deliver to confirmed subscribers only. Subscribers are asked by a document that a [signed_url] secret_key signs."),
			}, confirmationOptions()),
		},
		{
			Name:    "trustee",
			Help:    "The user who delivers on behalf of subscribers, under trusts that they give him (subscribers with trust+http and trust+https).",
			Options: trusteeOptions(),
		},
	})
}

func delivers(s *settings) bool { return s.Delivers() }

func pipelineSections() []section {
	return []section{
		{
			Name: "storage",
			Help: "Stages in front of the store: they see, change or refuse what is done to it, in the order of the list. Built in are zaqar.notification.notifier and zaqar.http ([pipeline:http]); others come with programs that add them. Stages written in Python cannot be loaded.",
			Options: []Option{
				of("message_pipeline", list(), func(s *settings) *[]string { return &s.Pipelines.Message },
					"Stages for messages. zaqar.notification.notifier is built in: it lets subscribers know of messages. A list without it turns notifications off."),
				stages("claim_pipeline", "claims", func(s *settings) *[]string { return &s.Pipelines.Claim }),
				stages("subscription_pipeline", "subscriptions", func(s *settings) *[]string { return &s.Pipelines.Subscription }),
				stages("queue_pipeline", "queues", func(s *settings) *[]string { return &s.Pipelines.Queue }),
				stages("topic_pipeline", "topics", func(s *settings) *[]string { return &s.Pipelines.Topic }),
				of("strict_pipelines", boolean(), func(s *settings) *bool { return &s.Pipelines.Strict },
					"Do not start if a list names a stage that does not exist, or that does nothing there. Off: that is a warning, and the stage is left out."),
			},
		},
		{
			Name: "pipeline:http",
			Help: "The stage zaqar.http: a service of yours is told of each operation of the pipelines that name the stage, and decides whether it is done: docs/extending.md.",
			Options: []Option{
				of("url", text(), func(s *settings) *string { return &s.Hook.URL }, "Where the service is asked: http or https."),
				of("token", text(), func(s *settings) *string { return &s.Hook.Token }, "Sent with each question, as Authorization: Bearer.").secret(),
				of("timeout", seconds(100*time.Millisecond, time.Minute), func(s *settings) *time.Duration { return &s.Hook.Timeout }, "How long an answer may take, seconds."),
				of("pass_on_failure", boolean(), func(s *settings) *bool { return &s.Hook.Pass }, "Do what the service could not be asked about. Off: it is refused with 503."),
			},
		},
	}
}

// stages is a list of stages in front of the store.
func stages(key, what string, at func(*settings) *[]string) Option {
	return of(key, list(), at, "Stages for "+what+".")
}
