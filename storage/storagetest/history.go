package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"zaqar/internal/testenv"
	"zaqar/messaging"
	"zaqar/storage"
	"zaqar/storage/storagetest/history"
)

// The environment says how much History does, as for Model.
const (
	envRuns    = "ZAQAR_HISTORY_RUNS"    // number of runs, default 3
	envRunSeed = "ZAQAR_HISTORY_SEED"    // seed of the first, default: the time
	envClients = "ZAQAR_HISTORY_CLIENTS" // at once, default 16
	envCalls   = "ZAQAR_HISTORY_CALLS"   // of each client, default 150
)

// History lets concurrent clients loose on stores of the harness, while time
// passes, and has package history judge what they were told, before and after a
// restart. One seed gives
// the clients the same intentions, not the same interleaving.
func History(t *testing.T, h Harness) {
	runs, first := testenv.Int(t, envRuns, 3), testenv.Int(t, envRunSeed, int(time.Now().UnixNano()&0xffffffff))
	for i := range runs {
		seed := first + i
		// Each with a test of its own, with which its store is removed.
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			s := start(t, h)
			o := history.Small(uint64(seed))
			o.Clients, o.Calls = testenv.Int(t, envClients, o.Clients), testenv.Int(t, envCalls, o.Calls)
			o.Now, o.Pass = s.clock.Now, s.clock.Advance
			if h.Reopen != nil {
				o.Restart = func() (history.Target, error) {
					s.restart()
					return historyTarget{s.Store}, nil
				}
			}
			told, err := history.Run(t.Context(), historyTarget{s.Store}, o)
			if err != nil {
				t.Fatal(err)
			}
			told.Judge(t, fmt.Sprintf("%s=%d %s=1", envRunSeed, seed, envRuns))
			s.ok(s.Close())
		})
	}
}

// historyTarget is a store as package history sees it.
type historyTarget struct{ s Store }

func historyQueue(name string) messaging.QueueRef {
	return messaging.QueueRef{Project: "p1", Name: name}
}

func historyMessages(list []messaging.Message) []history.Message {
	var out []history.Message
	for _, m := range list {
		out = append(out, history.Message{ID: string(m.ID), Body: string(m.Body)})
	}
	return out
}

func one(id string) []messaging.MessageID { return []messaging.MessageID{messaging.MessageID(id)} }

// Post implements history.Target.
func (t historyTarget) Post(ctx context.Context, queue string, bodies []string) ([]string, error) {
	var drafts []messaging.Draft
	for _, b := range bodies {
		drafts = append(drafts, draft(forever, 0, b))
	}
	put, err := t.s.Append(ctx, historyQueue(queue), alice, drafts, storage.AppendOptions{})
	ids := put.IDs
	var out []string
	for _, id := range ids {
		out = append(out, string(id))
	}
	return out, err
}

// Claim implements history.Target.
func (t historyTarget) Claim(ctx context.Context, queue string, ttl time.Duration, limit int) (string, []history.Message, error) {
	lease, err := t.s.Claim(ctx, historyQueue(queue), storage.Terms{TTL: int64(ttl / time.Second), Limit: limit})
	return string(lease.Claim.ID), historyMessages(lease.Messages), err
}

// Renew implements history.Target.
func (t historyTarget) Renew(ctx context.Context, queue, claim string, ttl time.Duration) (bool, error) {
	err := t.s.Renew(ctx, historyQueue(queue), messaging.ClaimID(claim), storage.Terms{TTL: int64(ttl / time.Second)})
	return granted(err, messaging.NotFound)
}

// Held implements history.Target.
func (t historyTarget) Held(ctx context.Context, queue, claim string) ([]history.Message, bool, error) {
	_, list, err := t.s.Held(ctx, historyQueue(queue), messaging.ClaimID(claim))
	live, err := granted(err, messaging.NotFound)
	return historyMessages(list), live, err
}

// Release implements history.Target.
func (t historyTarget) Release(ctx context.Context, queue, claim string) error {
	_, err := t.s.Release(ctx, historyQueue(queue), messaging.ClaimID(claim))
	return err
}

// Remove implements history.Target.
func (t historyTarget) Remove(ctx context.Context, queue, id, claim string) (bool, error) {
	hold := unclaimed
	if claim != "" {
		hold = by(messaging.ClaimID(claim))
	}
	err := t.s.Remove(ctx, historyQueue(queue), one(id), hold)
	return granted(err, messaging.Claimed, messaging.NotClaimed)
}

// Pop implements history.Target.
func (t historyTarget) Pop(ctx context.Context, queue string, limit int) ([]history.Message, error) {
	list, err := t.s.Pop(ctx, historyQueue(queue), storage.Take{Limit: limit})
	return historyMessages(list), err
}

// Look implements history.Target.
func (t historyTarget) Look(ctx context.Context, queue string, ids []string) ([]history.Message, error) {
	var want []messaging.MessageID
	for _, id := range ids {
		want = append(want, messaging.MessageID(id))
	}
	list, err := t.s.Fetch(ctx, historyQueue(queue), want)
	return historyMessages(list), err
}

// granted tells a refusal, which is one of the kinds, from a failure.
func granted(err error, refusals ...messaging.Kind) (bool, error) {
	for _, k := range refusals {
		if errors.Is(err, k) {
			return false, nil
		}
	}
	return err == nil, err
}
