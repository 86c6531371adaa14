package compat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/go-cmp/cmp"
)

func subscriptionsOf(name string) string { return queue(name) + "/subscriptions" }

// subscription is what the plugin wants of one.
type subscription struct {
	ID, Subscriber, Source *string
	Options                map[string]any
	TTL                    *int
}

// subscribers are of the kinds that the plugin uses.
func subscribers() []string {
	return []string{"http://fake.example:8080", "https://fake.example:8080", "mailto:fake@fake.example"}
}

// subscribe creates a subscription for each of the subscribers and returns the
// ids.
func (p *tempest) subscribe(name string, subscribers ...string) (ids []string) {
	p.Helper()
	for _, s := range subscribers {
		var made struct {
			ID string `json:"subscription_id"`
		}
		p.send(201, http.MethodPost, subscriptionsOf(name), fmt.Sprintf(`{"subscriber": %q, "ttl": 293305, "options": {"name": "test"}}`, s)).JSON(&made)
		if made.ID == "" {
			p.Fatalf("subscription to %s without an id", s)
		}
		ids = append(ids, made.ID)
	}
	return ids
}

// subscriptions returns the subscribers on a page.
func (p *tempest) subscriptions(name string) (found []string) {
	p.Helper()
	var body struct {
		Subscriptions []subscription
		Links         []struct{ Href, Rel *string }
	}
	p.send(200, http.MethodGet, subscriptionsOf(name), nil).JSON(&body)
	if body.Subscriptions == nil || body.Links == nil {
		p.Fatal("a page lacks something")
	}
	for _, s := range body.Subscriptions {
		p.check(s)
		found = append(found, *s.Subscriber)
	}
	return found
}

func (p *tempest) showSubscription(name, id string) (s subscription) {
	p.Helper()
	p.send(200, http.MethodGet, subscriptionsOf(name)+"/"+id, nil).JSON(&s)
	p.check(s)
	return s
}

func (p *tempest) check(s subscription) {
	p.Helper()
	if s.ID == nil || s.Subscriber == nil || s.Source == nil || s.Options == nil || s.TTL == nil {
		text, _ := json.Marshal(s)
		p.Fatalf("a subscription lacks something: %s", text)
	}
}

func tempestSubscriptions() []tempestTest {
	return []tempestTest{
		{"test_create_delete_subscriptions", func(p *tempest) {
			for _, id := range p.subscribe("work", subscribers()...) {
				p.send(204, http.MethodDelete, subscriptionsOf("work")+"/"+id, nil)
			}
			if left := p.subscriptions("work"); len(left) > 0 {
				p.Errorf("left: %v", left)
			}
		}},
		{"test_list_subscriptions", func(p *tempest) {
			p.subscribe("work", subscribers()...)
			if d := cmp.Diff(subscribers(), p.subscriptions("work")); d != "" {
				p.Error(d)
			}
		}},
		{"test_show_subscriptions", func(p *tempest) {
			for i, id := range p.subscribe("work", subscribers()...) {
				if s := p.showSubscription("work", id); *s.Subscriber != subscribers()[i] || *s.ID != id || *s.Source != "work" || *s.TTL != 293305 {
					p.Errorf("%+v", s)
				}
			}
		}},
		{"test_update_subscriptions", func(p *tempest) {
			for i, id := range p.subscribe("work", subscribers()...) {
				p.send(204, http.MethodPatch, subscriptionsOf("work")+"/"+id, `{"options": {"name": "updated"}}`)
				s := p.showSubscription("work", id)
				if d := cmp.Diff(map[string]any{"name": "updated"}, s.Options); d != "" || *s.Subscriber != subscribers()[i] || *s.TTL != 293305 {
					p.Errorf("%+v %s", s, d)
				}
			}
		}},
		{"test_create_subscriptions_with_duplicate_subscriber", func(p *tempest) {
			first := p.subscribe("work", subscribers()...)
			if again := p.subscribe("work", subscribers()...); !slices.Equal(first, again) {
				p.Errorf("%v, then %v", first, again)
			}
		}},
	}
}

func tempestSubscriptionsNegative() []tempestTest {
	at := subscriptionsOf("work")
	// onOne sends a request about a subscription that is there.
	onOne := func(status int, method, body string) func(*tempest) {
		return func(p *tempest) {
			p.send(status, method, at+"/"+p.subscribe("work", "http://fake.example")[0], body)
		}
	}
	return []tempestTest{
		{"test_create_subscriptions_with_invalid_body", refuses(400, http.MethodPost, at, `{"ttl": 60, "options": {"name": "test"}}`)},
		{"test_create_subscriptions_with_no_body", refuses(400, http.MethodPost, at, `{}`)},
		{"test_create_subscriptions_with_invalid_subscriber", refuses(400, http.MethodPost, at, `{"subscriber": "fake", "ttl": 300}`)},
		{"test_create_subscriptions_with_unsupported_subscriber", refuses(400, http.MethodPost, at, `{"subscriber": "email://fake", "ttl": 300}`)},
		{"test_create_subscriptions_with_invalid_options", refuses(400, http.MethodPost, at, `{"subscriber": "http://fake.example", "options": "123"}`)},
		{"test_create_subscriptions_with_non_integer_value_for_ttl", refuses(400, http.MethodPost, at, `{"subscriber": "http://fake.example", "ttl": "123"}`)},
		{"test_list_subscriptions_from_non_existing_queue", refuses(200, http.MethodGet, subscriptionsOf("absent"), nil)},
		{"test_list_subscriptions_from_queue_with_no_subsciptions", func(p *tempest) { // spelled so there
			p.createQueue("work")
			if found := p.subscriptions("work"); len(found) > 0 {
				p.Errorf("found %v", found)
			}
		}},
		{"test_show_subscriptions_from_non_existing_queue", func(p *tempest) {
			id := p.subscribe("work", "http://fake.example")[0]
			p.send(404, http.MethodGet, subscriptionsOf("absent")+"/"+id, nil)
		}},
		{"test_show_subscriptions_with_invalid_id", refuses(404, http.MethodGet, at+"/123", nil)},
		{"test_show_subscriptions_after_deleting_subscription", func(p *tempest) {
			one := at + "/" + p.subscribe("work", "http://fake.example")[0]
			p.send(204, http.MethodDelete, one, nil)
			p.send(404, http.MethodGet, one, nil)
		}},
		{"test_update_subscription_on_non_existing_queue", func(p *tempest) {
			id := p.subscribe("work", "http://fake.example")[0]
			p.send(404, http.MethodPatch, subscriptionsOf("absent")+"/"+id, `{"ttl": 1000}`)
		}},
		{"test_update_subscription_with_invalid_id", refuses(404, http.MethodPatch, at+"/123", `{"ttl": 1000}`)},
		{"test_update_subscription_with_empty_body", onOne(400, http.MethodPatch, `{}`)},
		{"test_update_subscription_with_invalid_TTL", onOne(400, http.MethodPatch, `{"ttl": 50}`)},
		{"test_update_subscription_with_invalid_json_in_request_body", onOne(400, http.MethodPatch, `{"ttl": 1000`)},
		{"test_delete_subscription_from_a_non_existing_queue", func(p *tempest) {
			id := p.subscribe("work", "http://fake.example")[0]
			p.send(204, http.MethodDelete, subscriptionsOf("absent")+"/"+id, nil)
			p.showSubscription("work", id)
		}},
		{"test_delete_subscription_using_a_nonexisting_id", refuses(204, http.MethodDelete, at+"/123", nil)},
	}
}
