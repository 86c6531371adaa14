package socket_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"testing"

	"zaqar/messaging/delivery"
	"zaqar/notify"
	"zaqar/notify/socket"
)

// hooks notes what goes over the network.
type hooks struct{ got []string }

func (h *hooks) Check(context.Context, *url.URL, *delivery.Options) error { return errors.New("asked") }

func (h *hooks) Send(_ context.Context, d *notify.Delivery) (notify.Receipt, error) {
	h.got = append(h.got, d.Subscriber.String())
	return notify.Receipt{Status: 200}, nil
}

func TestSend(t *testing.T) {
	var hub socket.Hub
	var got []string
	room := 2
	hub.Attach("c1", func(document []byte) bool {
		if room--; room < 0 {
			return false
		}
		got = append(got, string(document))
		return true
	})
	web := &hooks{}
	s := socket.New(&hub, "Node1:9000", web)
	send := func(subscriber string, isSocket bool) error {
		u, err := url.Parse(subscriber)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Send(t.Context(), &notify.Delivery{Subscriber: u, Document: []byte("{}"), Socket: isSocket, Options: new(delivery.Options)})
		return err
	}
	for _, err := range []error{send("http://node1:9000/c1", true), send("http://node1:9000/gone", true), send("http://node1:9000/c1", true)} {
		if err != nil {
			t.Error(err)
		}
	}
	var f *notify.Failure
	if err := send("http://node1:9000/c1", true); !errors.As(err, &f) || f.Verdict != notify.GiveUp {
		t.Errorf("a connection without room: %v", err)
	}
	// Other nodes, and clients who point a webhook at a connection.
	elsewhere := []string{"http://node2:9000/c1", "http://node1:9000/c1"}
	_, _ = send(elsewhere[0], true), send(elsewhere[1], false)
	if !slices.Equal(web.got, elsewhere) {
		t.Errorf("over the network went %v", web.got)
	}
	hub.Detach("c1")
	room = 5
	if err := send("http://node1:9000/c1", true); err != nil || !slices.Equal(got, []string{"{}", "{}"}) {
		t.Errorf("%v, %q", err, got)
	}
	if s.Check(t.Context(), &url.URL{}, nil) == nil {
		t.Error("what clients subscribe is not checked")
	}
}
