package age

import (
	"context"
	"math/rand/v2"

	"zaqar/messaging"
	"zaqar/storage"
)

const (
	minute = int64(60)
	hour   = 60 * minute
	day    = 24 * hour
)

// life is what the owner of a queue does over and over.
type life struct {
	name string
	step func(b *box, rng *rand.Rand, aside *box) error // aside is a second queue of the owner
}

func ids(list []messaging.Message) (out []messaging.MessageID) {
	for i := range list {
		out = append(out, list[i].ID)
	}
	return out
}

// lives are the ways to use a queue that a day is made of.
func lives() []life {
	return []life{
		{"telemetry", telemetry}, {"work", work}, {"archive", archive}, {"delayed", delayed},
		{"failing", failing}, {"purged", purged}, {"dropped", dropped}, {"held", held}, {"settings", settings},
	}
}

// telemetry is read by nobody and expires.
func telemetry(b *box, rng *rand.Rand, _ *box) error {
	return b.post(1+rng.IntN(40), 100+rng.IntN(900), minute, 0)
}

// work is claimed and deleted; some claims are left to expire, some given back.
func work(b *box, rng *rand.Rand, _ *box) error {
	if len(b.letters) < 5000 {
		if err := b.post(1+rng.IntN(30), 200+rng.IntN(2000), hour, 0); err != nil {
			return err
		}
	}
	got, err := b.claim(storage.Terms{TTL: 300, Grace: 60, Limit: 20})
	if err != nil || got.Claim.ID == "" {
		return err
	}
	switch rng.IntN(10) {
	case 0: // the worker died
		return nil
	case 1:
		return b.release(got.Claim.ID, ids(got.Messages))
	case 2:
		return b.renew(got.Claim.ID, ids(got.Messages), storage.Terms{TTL: 600, Grace: 60})
	}
	return b.remove(ids(got.Messages), storage.Hold{By: []messaging.ClaimID{got.Claim.ID}})
}

// archive keeps one message in ten for two weeks, and deletes from the middle.
func archive(b *box, rng *rand.Rand, _ *box) error {
	if err := b.post(9, 500, 5*minute, 0); err != nil {
		return err
	}
	if err := b.post(1, 500, 14*day, 0); err != nil {
		return err
	}
	return b.remove(b.recent(rng.IntN(5000), 3), storage.Hold{Unclaimed: true})
}

func delayed(b *box, rng *rand.Rand, _ *box) error {
	if err := b.post(1+rng.IntN(10), 300, hour, rng.Int64N(15*minute)); err != nil {
		return err
	}
	return b.pop(1 + rng.IntN(10))
}

// failing messages are claimed in vain and end as dead letters.
func failing(b *box, rng *rand.Rand, dead *box) error {
	if len(b.letters) < 500 {
		if err := b.post(1+rng.IntN(10), 700, 14*day, 0); err != nil {
			return err
		}
	}
	got, err := b.claim(storage.Terms{TTL: 60, Grace: 60, Limit: 10, MaxClaims: 2})
	if err != nil || got.Claim.ID == "" {
		return err
	}
	if len(got.Spent) > 0 {
		if err := b.bury(ids(got.Spent), got.Claim.ID, dead, 7*day); err != nil {
			return err
		}
	}
	if rng.IntN(100) == 0 {
		return dead.pop(50)
	}
	return b.release(got.Claim.ID, ids(got.Messages))
}

// purged fills up and is purged, but for what is claimed.
func purged(b *box, rng *rand.Rand, _ *box) error {
	if len(b.letters) < 3000 || rng.IntN(20) > 0 {
		return b.post(50, 400, day, 0)
	}
	got, err := b.claim(storage.Terms{TTL: 12 * hour, Grace: 0, Limit: 5})
	if err != nil {
		return err
	}
	kept := make(map[messaging.MessageID]*letter)
	for _, id := range ids(got.Messages) {
		kept[id] = b.letters[id]
	}
	before := b.clock.ms.Load()
	for id, l := range b.letters {
		if l.leased > 0 {
			l.least = min(l.least, before) // perhaps still claimed
			kept[id] = l
		}
	}
	for _, id := range ids(got.Messages) {
		b.letters[id].least = b.letters[id].most
	}
	if err := b.store.Purge(context.Background(), b.ref); err != nil {
		return err
	}
	b.letters = kept
	return nil
}

// plain is a queue without settings.
func plain() *messaging.Metadata {
	m, err := messaging.DecodeMetadata(nil)
	if err != nil {
		panic(err)
	}
	return m
}

func dropped(b *box, rng *rand.Rand, _ *box) error {
	ctx := context.Background()
	if len(b.letters) < 2000 || rng.IntN(20) > 0 {
		if _, err := b.store.CreateQueue(ctx, b.ref, plain()); err != nil {
			return err
		}
		return b.post(40, 600, day, 0)
	}
	if err := b.store.DeleteQueue(ctx, b.ref); err != nil {
		return err
	}
	clear(b.letters)
	return b.store.Drop(ctx, b.ref)
}

// held is a claim on old messages that is renewed for ever.
func held(b *box, rng *rand.Rand, _ *box) error {
	if len(b.letters) < 20 {
		return b.post(20, 300, 14*day, 0)
	}
	got, err := b.claim(storage.Terms{TTL: hour, Grace: 14 * day, Limit: 20})
	if err != nil || got.Claim.ID == "" {
		return err
	}
	for range 20 + rng.IntN(100) {
		if err := b.renew(got.Claim.ID, ids(got.Messages), storage.Terms{TTL: hour}); err != nil {
			return err
		}
	}
	return b.release(got.Claim.ID, ids(got.Messages))
}

// settings are changed all the time.
func settings(b *box, rng *rand.Rand, _ *box) error {
	ctx := context.Background()
	if _, err := b.store.CreateQueue(ctx, b.ref, plain()); err != nil {
		return err
	}
	m, err := messaging.DecodeMetadata([]byte(`{"pad":"` + padding[:rng.IntN(1000)] + `"}`))
	if err != nil {
		return err
	}
	_, err = b.store.AmendQueue(ctx, b.ref, func(*messaging.Metadata) (*messaging.Metadata, error) { return m, nil })
	return err
}
