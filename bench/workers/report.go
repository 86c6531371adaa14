package workers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"zaqar/bench/load"
)

// Report is the result of a run. Its JSON has the keys of the original tool
// and more. A group without workers has zeros.
type Report struct {
	Producer ProducerReport `json:"producer"`
	Observer ObserverReport `json:"observer"`
	Consumer ConsumerReport `json:"consumer"`
	Params   Params         `json:"params"`
	Messages Account        `json:"messages"`

	// Interrupted says that the run ended early because it was told to.
	Interrupted bool `json:"interrupted"`
	// Failures says what the server did wrong, in words.
	Failures []string `json:"failures"`
}

// Rates is what a group of workers did in its time.
type Rates struct {
	Duration   float64 `json:"duration_sec"`
	Requests   int64   `json:"total_reqs"`
	Successful int64   `json:"successful_reqs"`
	PerSecond  float64 `json:"reqs_per_sec"` // of the successful ones
}

// Latency is a distribution, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// ProducerReport is about posts. With a rate, latencies count from when a post
// was due.
type ProducerReport struct {
	Rates
	Mean              float64 `json:"ms_per_req"`
	Latency           Latency `json:"latency_ms"`
	Messages          int64   `json:"messages"`
	MessagesPerSecond float64 `json:"messages_per_sec"`
	BatchSize         int     `json:"batch_size"`
	TargetRate        float64 `json:"target_rate"` // 0: none
	Missed            int64   `json:"missed_reqs"` // due and not made before the end
}

// ObserverReport is about lists.
type ObserverReport struct {
	Rates
	Mean              float64 `json:"ms_per_req"`
	Latency           Latency `json:"latency_ms"`
	Messages          int64   `json:"messages"`
	MessagesPerSecond float64 `json:"messages_per_sec"`
}

// ConsumerReport is about claims and deletes.
type ConsumerReport struct {
	Rates
	Claims            int64   `json:"claim_total_requests"`
	Processed         int64   `json:"messages_processed"` // deleted
	MessagesPerSecond float64 `json:"messages_per_sec"`
	ClaimMean         float64 `json:"ms_per_claim"`
	DeleteMean        float64 `json:"ms_per_delete"`
	ClaimLatency      Latency `json:"claim_latency_ms"`
	DeleteLatency     Latency `json:"delete_latency_ms"`
	// EndToEnd is from when a post was due to the answer of the first claim of
	// its message.
	EndToEnd Latency `json:"end_to_end_ms"`
}

// Params is what was asked for.
type Params struct {
	Producer    ProducerParams `json:"producer"`
	Consumer    ConsumerParams `json:"consumer"`
	Observer    ObserverParams `json:"observer"`
	Server      string         `json:"server_url"`
	QueuePrefix string         `json:"queue_prefix"`
	Queues      int            `json:"num_queues"`
	Time        float64        `json:"time_sec"`
}

// ProducerParams is what was asked of producers.
type ProducerParams struct {
	Group
	BatchSize  int     `json:"batch_size"`
	TargetRate float64 `json:"target_rate"`
}

// ConsumerParams is what was asked of consumers.
type ConsumerParams struct {
	Group
	MessagesPerClaim int     `json:"messages_per_claim"`
	Wait             float64 `json:"wait_sec"`
}

// ObserverParams is what was asked of observers.
type ObserverParams struct {
	Group
	MessagesPerList int `json:"messages_per_list"`
}

// Account is what became of the messages. All is 0 but the requests' counts if
// it was not checked.
type Account struct {
	Checked     bool `json:"checked"`
	Posted      int  `json:"posted"`
	Claimed     int  `json:"claimed"`
	Deleted     int  `json:"deleted"`
	Left        int  `json:"left"`        // in the queues
	Expired     int  `json:"expired"`     // may have; not lost
	Foreign     int  `json:"foreign"`     // posted by others
	Unsure      int  `json:"unsure"`      // posted by requests without a good answer
	Redelivered int  `json:"redelivered"` // claimed again after a claim's end

	Lost         int `json:"lost"`
	Duplicated   int `json:"duplicated"` // handed out to two claims, or listed twice to one reader
	Reordered    int `json:"reordered"`
	Phantom      int `json:"phantom"` // posted by nobody
	DeletedTwice int `json:"deleted_twice"`
	Undead       int `json:"undead"`  // back after deletion
	Skipped      int `json:"skipped"` // by a reader that followed the links
	Altered      int `json:"altered"` // with another body than posted
}

// Err returns nil if the server made no mistake.
func (r *Report) Err() error {
	var errs []error
	for _, f := range r.Failures {
		errs = append(errs, errors.New(f))
	}
	return errors.Join(errs...)
}

// WriteJSON writes the report as one line.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// report makes the report of a run that ended. account is nil if it was not
// checked.
func (r *run) report(account *load.Account, ended time.Time, interrupted bool) *Report {
	var of [ops]figures
	for _, g := range r.groups {
		for _, w := range g {
			for o, f := range w.measured {
				if f != nil {
					of[o].add(f)
				}
			}
		}
	}
	o := &r.o
	post, list, claim, del := &of[opPost], &of[opList], &of[opClaim], &of[opDelete]
	rep := &Report{
		Interrupted: interrupted,
		Producer: ProducerReport{
			Rates: rates(r.elapsed[producers], post), Mean: post.mean(), Latency: latency(&post.latency),
			Messages: post.messages, MessagesPerSecond: perSecond(post.messages, r.elapsed[producers]),
			BatchSize: o.Batch, TargetRate: o.Rate,
		},
		Observer: ObserverReport{
			Rates: rates(r.elapsed[observers], list), Mean: list.mean(), Latency: latency(&list.latency),
			Messages: list.messages, MessagesPerSecond: perSecond(list.messages, r.elapsed[observers]),
		},
		Consumer: ConsumerReport{
			Rates: rates(r.elapsed[consumers], claim, del), Claims: claim.total, Processed: del.ok,
			MessagesPerSecond: perSecond(del.ok, r.elapsed[consumers]),
			ClaimMean:         claim.mean(), DeleteMean: del.mean(),
			ClaimLatency: latency(&claim.latency), DeleteLatency: latency(&del.latency),
		},
		Params: Params{
			Producer: ProducerParams{o.Producers, o.Batch, o.Rate},
			Consumer: ConsumerParams{o.Consumers, o.PerClaim, o.Wait.Seconds()},
			Observer: ObserverParams{o.Observers, o.PerList},
			Server:   o.Server, QueuePrefix: o.Prefix, Queues: o.Queues, Time: o.Duration.Seconds(),
		},
		Failures: []string{},
	}
	if len(r.groups[producers]) > 0 && o.Cycles == 0 {
		end := r.pace.end
		if ended.Before(end) {
			end = ended
		}
		rep.Producer.Missed = r.pace.missed(post.total, end)
	}
	rep.refusals(&of)
	rep.judge(account, r.queues)
	return rep
}

// refusals tells of requests that failed.
func (r *Report) refusals(of *[ops]figures) {
	for o := range of {
		f := &of[o]
		if n := f.total - f.ok; n > 0 {
			r.Failures = append(r.Failures, fmt.Sprintf("%d of %d %s failed, such as: %v", n, f.total, op(o), f.refusal))
		}
	}
}

// judge enters what the audit found in the queues of these names.
func (r *Report) judge(a *load.Account, queues []string) {
	if a == nil {
		r.Failures = append(r.Failures, "the messages were not checked")
		return
	}
	f := &a.Findings
	r.Messages = Account{
		Checked: true, Posted: a.Posted, Claimed: a.Claimed, Deleted: a.Deleted, Left: a.Left,
		Expired: a.Expired, Foreign: a.Foreign, Unsure: a.Unsure, Redelivered: a.Again,
		Lost: f.Lost.Count, Duplicated: f.Duplicate.Count + f.ClaimedTwice.Count, Reordered: f.OutOfOrder.Count,
		Phantom: f.Phantom.Count, DeletedTwice: f.DeletedTwice.Count, Undead: f.Undead.Count,
		Skipped: f.Missed.Count, Altered: f.Altered.Count,
	}
	r.Consumer.EndToEnd = latency(&a.FirstClaim)
	for _, kind := range []*load.Finding{
		&f.Lost, &f.Missed, &f.Duplicate, &f.Phantom, &f.ClaimedTwice, &f.DeletedTwice, &f.Undead, &f.OutOfOrder, &f.Altered,
	} {
		for i, id := range kind.IDs {
			kind.IDs[i] = name(id, queues)
		}
	}
	if err := f.Err(); err != nil {
		r.Failures = append(r.Failures, err.Error())
	}
}

// name puts the name of the queue before the id of a message, where the ledger
// has its number unless that is 0.
func name(id string, queues []string) string {
	number, rest, found := strings.Cut(id, "/")
	if !found {
		return queues[0] + "/" + id
	}
	if n, err := strconv.Atoi(number); err == nil && n < len(queues) {
		return queues[n] + "/" + rest
	}
	return id
}

func rates(elapsed time.Duration, of ...*figures) Rates {
	r := Rates{Duration: round(elapsed.Seconds())}
	for _, f := range of {
		r.Requests += f.total
		r.Successful += f.ok
	}
	r.PerSecond = perSecond(r.Successful, elapsed)
	return r
}

func perSecond(n int64, elapsed time.Duration) float64 {
	if elapsed <= 0 {
		return 0
	}
	return round(float64(n) / elapsed.Seconds())
}

// mean returns the mean latency in milliseconds.
func (f *figures) mean() float64 {
	if f.ok == 0 {
		return 0
	}
	return round(millis(f.sum) / float64(f.ok))
}

func latency(h *load.Histogram) Latency {
	at := func(q float64) float64 { return round(millis(h.Quantile(q))) }
	return Latency{P50: at(0.50), P95: at(0.95), P99: at(0.99), Max: round(millis(h.Max()))}
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// round leaves microseconds of a millisecond or a second.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }
