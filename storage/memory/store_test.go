package memory

import (
	"context"
	"math"
	"strconv"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/storage"
)

var queue = messaging.QueueRef{Project: "p", Name: "q"}

func newStore(t *testing.T) *Store {
	t.Helper()
	s := New(storage.Env{Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})
	t.Cleanup(func() { s.Close() })
	return s
}

func TestIDsAreEpochAndPosition(t *testing.T) {
	s := newStore(t)
	put, err := s.Append(context.Background(), queue, "", []messaging.Draft{{TTL: 60}, {TTL: 60}}, storage.AppendOptions{})
	ids := put.IDs
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Fetch(context.Background(), queue, ids)
	if err != nil || len(got) != 2 {
		t.Fatalf("Fetch: %v, %v", got, err)
	}
	for _, m := range got {
		id := string(m.ID)
		n, err := strconv.ParseUint(id[8:], 16, 64)
		if len(id) != 24 || id[:8] != s.epoch || err != nil || messaging.Position(n) != m.Position {
			t.Errorf("id %s at position %d", id, m.Position)
		}
	}
}

func TestEpochMakesIDsTooLargeForAPosition(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		epoch := newEpoch()
		seen[epoch] = true
		if _, err := strconv.ParseUint(epoch+"0000000000000001", 10, 64); err == nil {
			t.Fatalf("epoch %s makes ids that read as positions", epoch)
		}
	}
	if len(seen) < 990 {
		t.Errorf("1000 epochs, only %d different ones", len(seen))
	}
}

func TestNumberOfKnowsOnlyWhatWasGivenOut(t *testing.T) {
	s := newStore(t)
	s.last = 0x2a
	for _, tt := range []struct {
		id   string
		n    uint64
		want bool
	}{
		{s.id(1), 1, true},
		{s.id(0x2a), 0x2a, true},
		{s.id(0), 0, false},
		{s.id(0x2b), 0, false},
		{"7fffffff" + s.id(1)[8:], 0, false},
		{s.epoch + "000000000000002A", 0, false},
		{s.epoch + "1", 0, false},
		{s.epoch, 0, false},
		{"", 0, false},
		{"1", 0, false},
	} {
		n, given := s.numberOf(tt.id)
		if given != tt.want || given && n != tt.n {
			t.Errorf("numberOf(%q) = %d, %v; want %d, %v", tt.id, n, given, tt.n, tt.want)
		}
	}
}

func TestAfterDoesNotOverflow(t *testing.T) {
	now := time.Unix(1_700_000_000, 5e6)
	for _, tt := range []struct {
		seconds int64
		want    time.Time
	}{
		{0, now},
		{3, now.Add(3 * time.Second)},
		{-3, now.Add(-3 * time.Second)},
		{220367260800, time.Unix(1_700_000_000+220367260800, 5e6)},
		{math.MaxInt64, time.Unix(math.MaxInt64/1000, 0)},
	} {
		if got := after(now, tt.seconds); !got.Equal(tt.want) {
			t.Errorf("after(now, %d) = %v, want %v", tt.seconds, got, tt.want)
		}
	}
}

func TestNothingIsKeptOfWhatIsGone(t *testing.T) {
	ctx := context.Background()
	now := time.Unix(1_700_000_000, 0)
	s := New(storage.Env{Now: func() time.Time { return now }})
	if _, err := s.Append(ctx, queue, "", []messaging.Draft{{TTL: 60}}, storage.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Claim(ctx, queue, storage.Terms{TTL: 60, Limit: 1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Subscribe(ctx, messaging.Subscription{Source: queue, TTL: 60}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if _, err := s.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if len(s.messages) != 0 || len(s.subscriptions) != 0 {
		t.Errorf("left: %v, %v", s.messages, s.subscriptions)
	}
}
