package app

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"zaqar/api/rest"
	"zaqar/auth/keystone"
	"zaqar/broker"
	"zaqar/messaging"
	"zaqar/observe/metrics"
	"zaqar/quota"
	"zaqar/storage/embedded"
)

// surveyTime bounds the look at the queues that a scrape takes.
const surveyTime = 10 * time.Second

// countRequests makes the front count what it serves.
func (a *App) countRequests(front *rest.Config) {
	requests := metrics.NewRequests(rest.Endpoints(*front))
	a.monitor.registry.Add(requests.Families(), requests.Collect)
	front.Served = func(s rest.Served) {
		requests.Count(&metrics.Request{Route: s.Endpoint, Method: s.Method, Status: s.Status,
			In: s.Received, Out: s.Bytes, Took: s.Took, Waits: s.Waits})
	}
}

// addMetrics adds what the parts of the server count, once they are all there:
// the metrics are served already.
func (a *App) addMetrics(store fullStore, denials *denials) {
	r := a.monitor.registry
	r.Add(a.serverMetrics())
	r.Add(a.brokerMetrics())
	r.Add(a.backlogMetrics())
	r.Add(denials.metrics())
	if s, ok := store.(*embedded.Store); ok {
		r.Add(storeMetrics(s))
	}
	if a.certificates != nil {
		r.Add(a.tlsMetrics())
	}
	if a.quotas != nil {
		r.Add(quotaMetrics(a.quotas))
	}
	if a.notifier != nil {
		r.Add(notifyMetrics(a.notifier, a.trusts))
	}
	if a.keystone != nil {
		r.Add(keystoneMetrics(a.keystone))
	}
}

func counter(name, help string, labels ...string) metrics.Family {
	return metrics.Family{Name: name, Type: metrics.Counter, Help: help, Labels: labels}
}

func gauge(name, help string, labels ...string) metrics.Family {
	return metrics.Family{Name: name, Type: metrics.Gauge, Help: help, Labels: labels}
}

func (a *App) serverMetrics() ([]metrics.Family, func(*metrics.Values)) {
	return []metrics.Family{
			gauge("zaqar_build_info", "1; the labels tell the version of the server, that of Go and the store in use.", "version", "go_version", "store"),
			gauge("zaqar_ready", "1 while the server is ready, as /readyz says, else 0."),
			gauge("zaqar_http_connections", "Open connections to the API, those in a TLS handshake and those of waiting requests included."),
			counter("zaqar_http_connections_total", "Connections to the API that were accepted."),
			counter("zaqar_http_connections_refused_total", "Connections to the API that were refused because there were too many."),
			gauge("zaqar_waiting_requests", "Requests that wait for messages."),
		}, func(v *metrics.Values) {
			v.Set("zaqar_build_info", 1, a.options.Version, runtime.Version(), a.options.Store.Driver)
			v.Is("zaqar_ready", a.monitor.ready(context.Background()).Ready)
			v.Set("zaqar_http_connections", float64(a.limited.Open()))
			v.Set("zaqar_http_connections_total", float64(a.limited.Accepted()))
			v.Set("zaqar_http_connections_refused_total", float64(a.limited.Refused()))
			v.Set("zaqar_waiting_requests", float64(a.broker.Waiting()))
		}
}

func (a *App) brokerMetrics() ([]metrics.Family, func(*metrics.Values)) {
	return []metrics.Family{
			counter("zaqar_messages_posted_total", "Messages stored."),
			counter("zaqar_messages_posted_bytes_total", "Bytes of the bodies of messages stored."),
			counter("zaqar_messages_claimed_total", "Messages handed out by claims, each time."),
			counter("zaqar_messages_popped_total", "Messages handed out by pops, which also removed them."),
			counter("zaqar_messages_deleted_total", "Message ids in successful deletes, whether or not the messages still existed."),
			counter("zaqar_messages_dead_lettered_total", "Messages moved to dead-letter queues."),
		}, func(v *metrics.Values) {
			c := a.broker.Counts()
			v.Set("zaqar_messages_posted_total", float64(c.Posted))
			v.Set("zaqar_messages_posted_bytes_total", float64(c.PostedBytes))
			v.Set("zaqar_messages_claimed_total", float64(c.Claimed))
			v.Set("zaqar_messages_popped_total", float64(c.Popped))
			v.Set("zaqar_messages_deleted_total", float64(c.Deleted))
			v.Set("zaqar_messages_dead_lettered_total", float64(c.Buried))
		}
}

func (a *App) backlogMetrics() ([]metrics.Family, func(*metrics.Values)) {
	queue := []string{"project", "queue", "kind"}
	return []metrics.Family{
		gauge("zaqar_backlog_messages", "Unexpired messages in all queues, claimed and delayed ones included."),
		gauge("zaqar_backlog_claimed_messages", "Messages in all queues that are under a live claim."),
		gauge("zaqar_backlog_left_out", "Projects or queues with messages that have no metrics because [metrics] max_series is reached."),
		gauge("zaqar_project_messages", "Unexpired messages of a project. With [metrics] backlog = project.", "project"),
		gauge("zaqar_project_claimed_messages", "Messages of a project that are under a live claim.", "project"),
		gauge("zaqar_queue_messages", "Unexpired messages of a queue or topic (label kind). With [metrics] backlog = queue; queues without messages have no series.", queue...),
		gauge("zaqar_queue_claimed_messages", "Messages of a queue that are under a live claim.", queue...),
		gauge("zaqar_queue_oldest_message_age_seconds", "Age of the oldest unexpired message of a queue.", queue...),
		gauge("zaqar_queue_dead_letters", "Messages in the dead-letter queue that this queue names.", queue...),
	}, a.collectBacklog
}

func (a *App) collectBacklog(v *metrics.Values) {
	ctx, cancel := context.WithTimeout(context.Background(), surveyTime)
	defer cancel()
	detail := map[string]broker.Detail{BacklogProject: broker.ByProject, BacklogQueue: broker.ByQueue}[a.options.Monitor.Backlog]
	b, err := a.broker.Backlog(ctx, detail, a.options.Monitor.MaxSeries)
	if err != nil {
		a.log.Warn("metrics: the queues could not be looked at", "error", err)
		return
	}
	v.Set("zaqar_backlog_messages", float64(b.Total))
	v.Set("zaqar_backlog_claimed_messages", float64(b.Claimed))
	v.Set("zaqar_backlog_left_out", float64(b.Left))
	now := time.Now()
	for _, d := range b.Depths {
		project := string(d.Queue.Project)
		if detail == broker.ByProject {
			v.Set("zaqar_project_messages", float64(d.Total), project)
			v.Set("zaqar_project_claimed_messages", float64(d.Claimed), project)
			continue
		}
		kind := "queue"
		if d.Queue.Topic {
			kind = "topic"
		}
		v.Set("zaqar_queue_messages", float64(d.Total), project, d.Queue.Name, kind)
		v.Set("zaqar_queue_claimed_messages", float64(d.Claimed), project, d.Queue.Name, kind)
		if !d.Oldest.IsZero() {
			v.Set("zaqar_queue_oldest_message_age_seconds", max(0, now.Sub(d.Oldest).Seconds()), project, d.Queue.Name, kind)
		}
		if d.Graves {
			v.Set("zaqar_queue_dead_letters", float64(d.Dead), project, d.Queue.Name, kind)
		}
	}
}

func storeMetrics(s *embedded.Store) ([]metrics.Family, func(*metrics.Values)) {
	return []metrics.Family{
			{Name: "zaqar_store_commit_operations", Type: metrics.Histogram, Help: "Operations that one commit made durable; the count is that of commits."},
			{Name: "zaqar_store_sync_duration_seconds", Type: metrics.Histogram, Scale: metrics.Seconds, Help: "What the sync of a commit took on the disk."},
			counter("zaqar_store_written_bytes_total", "Bytes written to the log by commits."),
			counter("zaqar_store_compaction_written_bytes_total", "Bytes that compaction has written again."),
			gauge("zaqar_store_compacting", "1 while what counts in a segment is being written again, else 0."),
			gauge("zaqar_store_segments", "Segments of the log."),
			gauge("zaqar_store_log_bytes", "Bytes that the log takes on the disk; of its last segment also those that are only reserved."),
			gauge("zaqar_store_live_bytes", "Bytes of the log that count, because the messages and queues in them exist. The rest compaction can give back."),
			gauge("zaqar_store_queues", "Queues and topics that have held messages and were not deleted."),
			gauge("zaqar_store_full", "1 while new data is refused for lack of room on the disk, else 0."),
			gauge("zaqar_store_failed", "1 after a disk error that ended all writing, else 0. Only a restart changes it."),
			gauge("zaqar_store_damaged_stretches", "Stretches of the log that could not be read at the start."),
			counter("zaqar_store_lost_messages_total", "Messages lost since the start because their records are damaged."),
			counter("zaqar_messages_expired_total", "Messages found expired, up to some seconds late."),
			counter("zaqar_claims_expired_total", "Claims found expired, up to some seconds late."),
		}, func(v *metrics.Values) {
			st := s.Stats()
			v.Histogram("zaqar_store_commit_operations", st.Batches)
			v.Histogram("zaqar_store_sync_duration_seconds", st.Syncs)
			v.Set("zaqar_store_written_bytes_total", float64(st.Written))
			v.Set("zaqar_store_compaction_written_bytes_total", float64(st.Rewritten))
			v.Is("zaqar_store_compacting", st.Compacting)
			v.Set("zaqar_store_segments", float64(st.Segments))
			v.Set("zaqar_store_log_bytes", float64(st.Log))
			v.Set("zaqar_store_live_bytes", float64(st.Live))
			v.Set("zaqar_store_queues", float64(st.Queues))
			v.Is("zaqar_store_full", st.Full)
			v.Is("zaqar_store_failed", st.Failed)
			v.Set("zaqar_store_damaged_stretches", float64(st.Damaged))
			v.Set("zaqar_store_lost_messages_total", float64(st.Unreadable))
			v.Set("zaqar_messages_expired_total", float64(st.ExpiredMessages))
			v.Set("zaqar_claims_expired_total", float64(st.ExpiredClaims))
		}
}

func keystoneMetrics(i *keystone.Identity) ([]metrics.Family, func(*metrics.Values)) {
	return []metrics.Family{
			counter("zaqar_token_lookups_total", "Tokens looked for in the caches, by what the cache of the process knew: valid, refused, or nothing (miss). Several misses may wait for one validation.", "result"),
			gauge("zaqar_token_cache_entries", "Tokens in the cache of the process, by kind: valid, refused.", "kind"),
			counter("zaqar_memcached_hits_total", "Tokens found in memcached, which spared a validation."),
			counter("zaqar_memcached_errors_total", "Failures of memcached."),
			counter("zaqar_keystone_validations_total", "Tokens that Keystone was asked about, by outcome: valid, refused, failed (no answer of use).", "outcome"),
			counter("zaqar_keystone_validation_seconds_total", "What those validations took together."),
			counter("zaqar_keystone_logins_total", "Logins of the service itself at Keystone, by outcome: ok, failed.", "outcome"),
		}, func(v *metrics.Values) {
			s := i.Stats()
			v.Set("zaqar_token_lookups_total", float64(s.Hits), "valid")
			v.Set("zaqar_token_lookups_total", float64(s.RefusedHits), "refused")
			v.Set("zaqar_token_lookups_total", float64(s.Misses), "miss")
			v.Set("zaqar_token_cache_entries", float64(s.Entries), "valid")
			v.Set("zaqar_token_cache_entries", float64(s.RefusedEntries), "refused")
			v.Set("zaqar_memcached_hits_total", float64(s.SharedHits))
			v.Set("zaqar_memcached_errors_total", float64(s.SharedErrors))
			v.Set("zaqar_keystone_validations_total", float64(s.Valid), "valid")
			v.Set("zaqar_keystone_validations_total", float64(s.Refused), "refused")
			v.Set("zaqar_keystone_validations_total", float64(s.Failed), "failed")
			v.Set("zaqar_keystone_validation_seconds_total", s.Took.Seconds())
			v.Set("zaqar_keystone_logins_total", float64(s.Logins), "ok")
			v.Set("zaqar_keystone_logins_total", float64(s.LoginFailures), "failed")
		}
}

func quotaMetrics(g *quota.Guard) ([]metrics.Family, func(*metrics.Values)) {
	return []metrics.Family{
			counter("zaqar_quota_refusals_total", "Requests refused because a project had used up a quota or went too fast, by limit.", "limit"),
			gauge("zaqar_quota_projects", "Projects whose use of quotas and rates is kept in mind."),
		}, func(v *metrics.Values) {
			s := g.Stats()
			for limit, n := range s.Refused {
				v.Set("zaqar_quota_refusals_total", float64(n), string(limit))
			}
			v.Set("zaqar_quota_projects", float64(s.Projects))
		}
}

// denials is a policy whose refusals are counted by rule. Rules are the
// broker's constants, so there are few.
type denials struct {
	broker.Policy
	counts sync.Map // rule -> *atomic.Int64
}

// Allow implements broker.Policy.
func (d *denials) Allow(ctx context.Context, who messaging.Caller, rule string, on messaging.QueueRef) error {
	err := d.Policy.Allow(ctx, who, rule, on)
	if err != nil {
		n, _ := d.counts.LoadOrStore(rule, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	}
	return err
}

func (d *denials) metrics() ([]metrics.Family, func(*metrics.Values)) {
	return []metrics.Family{
			counter("zaqar_policy_denials_total", "Requests that the policy refused, by rule.", "rule"),
		}, func(v *metrics.Values) {
			d.counts.Range(func(rule, n any) bool {
				v.Set("zaqar_policy_denials_total", float64(n.(*atomic.Int64).Load()), rule.(string))
				return true
			})
		}
}

// Metrics lists what /metrics has beside the metrics of the Go runtime and the
// process, by name.
func (a *App) Metrics() []metrics.Family { return a.monitor.registry.Families() }
