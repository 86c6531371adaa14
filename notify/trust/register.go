package trust

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// keyRegistered marks options whose trust was made here, for this subscription
// in this form, and is removed with it. It counts only beside a trust+ URL, for
// which nobody else can set it.
const keyRegistered = "_trust_registered"

// Register gets a subscription that is to be stored its trust, and notes it in
// the options. Invalid: the trust that the client names is none that it may
// name. Unavailable: no trust can be made. Nothing is left behind then.
func (s *Sender) Register(ctx context.Context, who messaging.Caller, sub *messaging.Subscription) error {
	if s.Keystone == nil {
		return messaging.E(messaging.Unavailable, "This server has no trustee ([trustee]), which subscribers with trust+ need.")
	}
	o, err := optionsOf(sub)
	if err != nil {
		return err
	}
	var before options
	if sub.ID != "" {
		old, err := s.Stored(ctx, sub.Source, sub.ID)
		if err != nil {
			return err
		}
		if before, err = optionsOf(&old); err != nil {
			before = options{}
		}
		if same(&old, sub) && before.id != "" && s.lasts(ctx, who, &old, sub, &before) {
			return nil
		}
		if same(&old, sub) {
			o.id = "" // its time is over
		}
	}
	if o.id != "" && (!before.registered || o.id != before.id) {
		if _, err := s.Keystone.Verify(ctx, who, o.id); err != nil {
			return err
		}
		sub.Options = o.with(o.id, false)
		return nil
	}
	id, err := s.Keystone.Create(ctx, who, sub.Expires)
	if err == nil {
		sub.Options = o.with(id, true)
	}
	return err
}

// lasts reports whether the trust of a subscription is good for the lifetime that
// an update gives it, which changes nothing else. A client's trust stays, unless
// it is the caller's own and known to end before.
func (s *Sender) lasts(ctx context.Context, who messaging.Caller, old, next *messaging.Subscription, o *options) bool {
	if old.Expires.Equal(next.Expires) {
		return true
	}
	if o.registered {
		return false // it ends with the old lifetime
	}
	ends, err := s.Keystone.Verify(ctx, who, o.id)
	return err != nil || ends.IsZero() || !ends.Before(next.Expires)
}

// same reports whether an update leaves alone what is sent where.
func same(old, next *messaging.Subscription) bool {
	return old.Subscriber == next.Subscriber && string(old.Options) == string(next.Options)
}

// Unregister removes the trust of a subscription if it was made here. It does
// so soon, and does not wait for it.
func (s *Sender) Unregister(_ context.Context, sub *messaging.Subscription) error {
	o, err := optionsOf(sub)
	if err != nil || s.Keystone == nil || o.id == "" {
		return err
	}
	s.tokens.forget(o.id)
	if o.registered && !s.removals.add(o.id) {
		return errors.New("too many trusts wait for their removal; this one ends with its lifetime")
	}
	return nil
}

// options are those that matter here.
type options struct {
	members    []messaging.Member
	id         string
	registered bool // and the subscriber is one of ours
}

func optionsOf(sub *messaging.Subscription) (options, error) {
	decoded, err := messaging.DecodeMetadata(sub.Options)
	if err != nil {
		return options{}, messaging.Wrap(messaging.Invalid, "options must be an object.", err)
	}
	o := options{members: decoded.Members()}
	for _, m := range o.members {
		switch m.Name {
		case delivery.KeyTrustID:
			o.id, _ = messaging.Text(m.Value)
		case keyRegistered:
			u, err := url.Parse(sub.Subscriber)
			if err != nil {
				continue
			}
			_, ours := target(u)
			o.registered = ours && string(m.Value) == "true"
		}
	}
	return o, nil
}

// with returns the options with a trust.
func (o *options) with(id string, registered bool) []byte {
	members := slices.DeleteFunc(slices.Clone(o.members), func(m messaging.Member) bool {
		return m.Name == delivery.KeyTrustID || m.Name == keyRegistered
	})
	text, _ := json.Marshal(id) // a string cannot fail
	members = append(members, messaging.Member{Name: delivery.KeyTrustID, Value: text})
	if registered {
		members = append(members, messaging.Member{Name: keyRegistered, Value: []byte("true")})
	}
	return slices.Clone(messaging.NewMetadata(members).JSON())
}
