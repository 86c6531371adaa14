package notify_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
	"zaqar/notify"
)

func TestRequiredConfirmation(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.RequireConfirmation = true
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		socket, _, err := w.data.Subscribe(t.Context(), messaging.Subscription{Source: q, Subscriber: "http://socket/", TTL: 1000,
			State: (&delivery.State{Socket: true}).Append(nil)})
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		if err := w.notifier.Confirm(t.Context(), sub, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.post(q, "1")
		settled(time.Minute)
		got := w.sender.of("a")
		if len(got) != 1 || got[0].Kind != delivery.SubscriptionConfirmation || string(got[0].Document) != `{"Message_Type":"SubscriptionConfirmation"}` {
			t.Fatalf("%v", got)
		}
		equal(t, "the socket", texts(w.sender.of("socket")), []string{"1"})
		if socket.Confirmed {
			t.Error("the socket shows as confirmed")
		}
		if _, err := w.data.AmendSubscription(t.Context(), q, sub.ID, func(s *messaging.Subscription) error {
			s.Confirmed = true
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		w.post(q, "2")
		settled(time.Minute)
		equal(t, "a", texts(w.sender.of("a"))[1:], []string{"2"})
	})
}

// agreed is a sender whose subscribers need not be asked.
type agreed struct{ *sender }

func (agreed) Agreed() {}

func TestWhoAgreedIsNotAsked(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.RequireConfirmation = true
		w.senders = map[string]notify.Sender{"http": w.sender, "own": agreed{w.sender}}
		q := queue("q")
		own := w.subscribe(q, "own://inside/")
		w.subscribe(q, "http://outside/")
		n := w.start()
		if err := n.Confirm(t.Context(), own, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		w.post(q, `"hello"`)
		settled(time.Second)
		if got := texts(w.sender.of("inside")); !slices.Equal(got, []string{`"hello"`}) {
			t.Errorf("who agreed got %q", got)
		}
		if got := w.sender.of("outside"); len(got) > 0 {
			t.Errorf("who has to confirm got %d documents", len(got))
		}
	})
}

// Confirmations to dead receivers are repeated, and leave no dead letter.
func TestConfirmationIsRetried(t *testing.T) {
	inWorld(t, func(w *world) {
		q := queue("q")
		sub := w.subscribe(q, "http://a/")
		w.sender.behave["a"] = fails(500)
		w.start()
		if err := w.notifier.Confirm(t.Context(), sub, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		settled(time.Hour)
		if got := len(w.sender.of("a")); got != 15 {
			t.Errorf("%d attempts", got)
		}
		if n := len(w.left(q, "failed/"+partOf(sub))); n != 0 {
			t.Errorf("%d dead letters", n)
		}
	})
}

// Nobody is asked to confirm as often as somebody else likes.
func TestConfirmationsAreFew(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.RequireConfirmation = true
		w.start()
		ask := func(q messaging.QueueRef, subscriber string) error {
			sub := messaging.Subscription{ID: "1", Source: q, Subscriber: subscriber}
			return w.notifier.Confirm(t.Context(), sub, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour))
		}
		for i, subscriber := range []string{"mailto:a@x", "mailto:A@x", "mailto:a@x?subject=b", "MAILTO:a@x", "mailto:a@x", "mailto:a@x", "mailto:a@x", "mailto:a@x", "mailto:a@x", "mailto:a@x"} {
			if err := ask(queue([]string{"q", "r"}[i%2]), subscriber); err != nil {
				t.Fatal(i, err)
			}
		}
		if err := ask(queue("s"), "mailto:a@X"); !errors.Is(err, messaging.Exceeded) {
			t.Errorf("once more: %v", err)
		}
		if err := ask(queue("q"), "mailto:b@x"); err != nil {
			t.Errorf("another one: %v", err)
		}
		if err := ask(messaging.QueueRef{Project: "other", Name: "q"}, "mailto:a@x"); err != nil {
			t.Errorf("another project: %v", err)
		}
		time.Sleep(10 * time.Minute)
		if err := ask(queue("q"), "mailto:a@x"); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

// A project does not have more subscribers asked than it may, whatever their
// addresses are.
func TestConfirmationsOfAProjectAreFew(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.RequireConfirmation, w.config.Confirmations = true, 3
		w.senders = map[string]notify.Sender{"http": w.sender, "mailto": w.sender, "own": agreed{w.sender}}
		w.start()
		sub := func(project messaging.Project, subscriber string) messaging.Subscription {
			return messaging.Subscription{ID: "1", Source: messaging.QueueRef{Project: project, Name: "q"}, Subscriber: subscriber}
		}
		both := func(project messaging.Project, subscriber string) error {
			sub := sub(project, subscriber)
			may := w.notifier.MayAsk(&sub)
			err := w.notifier.Confirm(t.Context(), sub, delivery.SubscriptionConfirmation, time.Now().Add(time.Hour))
			if (may == nil) != (err == nil) {
				t.Errorf("%s: may: %v, did: %v", subscriber, may, err)
			}
			return err
		}
		for _, subscriber := range []string{"mailto:a@x", "mailto:a+1@x", "http://a/"} {
			if err := both("p", subscriber); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(4 * time.Minute)
		var refused *messaging.Error
		if err := both("p", "mailto:a+2@x"); !errors.As(err, &refused) || refused.Kind != messaging.Exceeded || refused.After != 6*time.Minute || !strings.Contains(refused.What, "3 times in 10 minutes") {
			t.Errorf("once more: %#v", err)
		}
		if err := both("p", "own://inside/"); err != nil {
			t.Errorf("who is not asked: %v", err)
		}
		if err := both("other", "mailto:a+2@x"); err != nil {
			t.Errorf("another project: %v", err)
		}
		time.Sleep(6 * time.Minute)
		if err := both("p", "mailto:a+2@x"); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}
