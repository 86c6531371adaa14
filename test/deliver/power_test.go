package deliver

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"zaqar/internal/egress"
	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/webhook"
	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/embedded/disk/faultdisk"
)

var cuts = flag.Int("deliver.cuts", 8, "how often to cut the power")

// again is a retry policy that does not wait long and hardly ever gives up.
const again = `{"_retry_policy":{"minimum_delay":1,"minimum_delay_retries":900}}`

// news is the topic of the tests.
var news = messaging.QueueRef{Project: "p", Name: "news", Topic: true}

// machine is what runs from one loss of power to the next: a store on a disk
// that forgets what was not synced, and a notifier on it.
type machine struct {
	disk  *faultdisk.Disk
	store *embedded.Store
	posts storage.Messages // announced
	stop  func()
}

// mortal is a sender of a machine: it sends nothing when the power is gone.
type mortal struct {
	notify.Sender
	disk *faultdisk.Disk
}

func (m mortal) Send(ctx context.Context, d *notify.Delivery) (notify.Receipt, error) {
	if m.disk.Crashed() {
		return notify.Receipt{}, &notify.Failure{What: "The power is gone."}
	}
	return m.Sender.Send(ctx, d)
}

// boot starts a machine on what a disk holds.
func boot(d *faultdisk.Disk) (*machine, error) {
	s, err := embedded.Open("store", embedded.Config{FS: d, SegmentSize: 1 << 20, SweepEvery: 20 * time.Millisecond}, storage.Env{Now: time.Now})
	if err != nil {
		return nil, err
	}
	allowed, err := egress.ParseList([]string{"127.0.0.1"})
	if err != nil {
		return nil, err
	}
	c := webhook.Defaults()
	c.Now, c.Allow = time.Now, allowed
	hooks := webhook.New(c)
	config := notify.Defaults()
	config.Lease, config.Grace, config.RequireConfirmation = 2*time.Second, 100*time.Millisecond, true
	n, err := notify.New(config, notify.Parts{
		Data: s, Queues: s, Now: time.Now,
		Senders: map[string]notify.Sender{"http": mortal{hooks, d}},
		Open:    func(messaging.Project, *messaging.Message) error { return nil },
		Post:    func(context.Context, messaging.QueueRef, notify.Post) error { return nil },
		Render: func(context.Context, *messaging.Subscription, delivery.Kind, time.Time) ([]byte, error) {
			return nil, nil
		},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { n.Run(ctx); close(ended) }()
	return &machine{disk: d, store: s, posts: n.Announcing(s, func(context.Context) string { return "" }), stop: func() {
		cancel()
		<-ended
		hooks.Close()
		_ = s.Close() // of a store without power nothing else is to be expected
	}}, nil
}

// subscribe makes subscriptions, and one that nobody has confirmed.
func (m *machine) subscribe(t *testing.T, url string) {
	t.Helper()
	for _, k := range append(kinds(), "unconfirmed") {
		sub, _, err := m.store.Subscribe(t.Context(), messaging.Subscription{Source: news, Subscriber: url + "/" + k, TTL: 86400, Options: []byte(again)})
		if err == nil && k != "unconfirmed" {
			_, err = m.store.AmendSubscription(t.Context(), news, sub.ID, func(s *messaging.Subscription) error {
				s.Confirmed = true
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// load posts until the power is gone, and returns what was acknowledged.
func (m *machine) load(ctx context.Context, life int) (acked []string) {
	return load{clients: 4, life: life,
		pause: func() time.Duration { return 3 * time.Millisecond },
		post: func(names []string) error {
			var drafts []messaging.Draft
			for _, name := range names {
				drafts = append(drafts, messaging.Draft{TTL: 3600, Body: []byte(`"` + name + `"`)})
			}
			_, err := m.posts.Append(ctx, news, "c", drafts, storage.AppendOptions{})
			return err
		}}.run()
}

// left returns how many entries outbox and backlogs hold.
func (m *machine) left(t *testing.T) (n int64) {
	t.Helper()
	subs, err := m.store.Subscriptions(t.Context(), news, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	parts := []messaging.Part{messaging.Outbox}
	for _, s := range subs {
		parts = append(parts, messaging.Backlog(s.ID))
	}
	for _, p := range parts {
		tally, err := m.store.Tally(t.Context(), news.In(p))
		if err != nil {
			t.Fatal(err)
		}
		n += int64(tally.Total)
	}
	return n
}

// awaitEnd waits until nothing is left to deliver, and says who misses what.
func (m *machine) awaitEnd(t *testing.T, sink *sink, acked []string) (missing string) {
	t.Helper()
	for begun := time.Now(); m.left(t) > 0; time.Sleep(100 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("%d deliveries are left after %v", m.left(t), patience)
		}
	}
	for _, k := range kinds() {
		if n, one := sink.missing(k, acked); n > 0 {
			missing += fmt.Sprintf(" %s misses %d of %d (%s)", k, n, len(acked), one)
		}
	}
	return missing
}

// TestPowerCuts is the ledger on a disk that forgets: what was acknowledged
// reaches every confirmed subscriber, wherever the power fails.
func TestPowerCuts(t *testing.T) {
	sink := newSink()
	defer sink.Close()
	chance := dice(t)
	lives := *cuts
	if testing.Short() {
		lives = min(lives, 4)
	}
	d := faultdisk.New(faultdisk.Config{Seed: chance.Uint64()})
	m, err := boot(d)
	if err != nil {
		t.Fatal(err)
	}
	m.subscribe(t, sink.URL)
	var acked []string
	for life := range lives {
		d.CrashAt(d.Changes() + 20 + chance.Int64N(1000))
		before := len(acked)
		acked = append(acked, m.load(t.Context(), life)...)
		m.stop()
		t.Logf("life %d: %d messages acknowledged", life, len(acked)-before)
		if life == lives-1 {
			sink.up.Store(true)
		}
		d, m = reboot(t, d, chance)
	}
	defer m.stop()
	if len(acked) < 10*lives {
		t.Fatalf("only %d messages were acknowledged", len(acked))
	}
	if missing := m.awaitEnd(t, sink, acked); missing != "" {
		t.Error(missing)
	}
	sink.mu.Lock()
	defer sink.mu.Unlock()
	if n := len(sink.got["unconfirmed"]); n > 0 {
		t.Errorf("who has not confirmed got %d messages", n)
	}
}

// reboot starts a machine on what a cut left, sometimes after another cut while
// it starts.
func reboot(t *testing.T, d *faultdisk.Disk, chance *rand.Rand) (*faultdisk.Disk, *machine) {
	t.Helper()
	for {
		d = d.Crash(faultdisk.Cut{Loss: faultdisk.Mixed, Seed: chance.Uint64(), Torn: chance.IntN(2) == 0, Garbage: chance.IntN(2) == 0, Ordered: chance.IntN(2) == 0})
		if chance.IntN(3) == 0 {
			d.CrashAt(1 + chance.Int64N(20))
		}
		m, err := boot(d)
		switch {
		case err == nil && d.Crashed():
			m.stop()
		case err == nil:
			d.CrashAt(0)
			return d, m
		case !d.Crashed():
			t.Fatal(err)
		}
	}
}

// A disk that acknowledges syncs and drops them loses messages, and the ledger
// says so.
func TestPowerCutsOfLiars(t *testing.T) {
	sink := newSink()
	defer sink.Close()
	d := faultdisk.New(faultdisk.Config{})
	m, err := boot(d)
	if err != nil {
		t.Fatal(err)
	}
	m.subscribe(t, sink.URL)
	d.Inject(faultdisk.Fault{Kind: faultdisk.Sync, Lie: true})
	d.CrashAt(d.Changes() + 150)
	acked := m.load(t.Context(), 0)
	m.stop()
	sink.up.Store(true)
	if m, err = boot(d.Crash(faultdisk.Cut{Loss: faultdisk.LoseAll})); err != nil {
		t.Fatal(err)
	}
	defer m.stop()
	if missing := m.awaitEnd(t, sink, acked); !strings.Contains(missing, "down misses") {
		t.Errorf("of %d messages nobody misses any:%s", len(acked), missing)
	}
}

// dice returns chance by the seed of the run.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-deliver.seed %d", *seed)
	return rand.New(rand.NewPCG(*seed, 0))
}
