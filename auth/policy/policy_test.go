package policy_test

import (
	"errors"
	"strings"
	"testing"

	"zaqar/auth/policy"
	"zaqar/messaging"
)

func TestDefaultRules(t *testing.T) {
	anyone := "queues:get_all queues:create queues:get queues:update queues:delete queues:stats queues:share queues:purge " +
		"messages:get_all messages:create messages:get messages:delete messages:delete_all " +
		"claims:create claims:get claims:update claims:delete " +
		"subscription:get_all subscription:create subscription:get subscription:update subscription:delete subscription:confirm " +
		"topics:get_all topics:create topics:get topics:update topics:delete topics:stats topics:purge " +
		"ping:get flavors:get_all flavors:get"
	admin := "health:get pools:get_all pools:create pools:get pools:update pools:delete " +
		"flavors:create flavors:update flavors:delete"
	nobody := "queues: queues:Get topics:share messages:pop claims:get_all subscriptions:get ping:head health * :"
	callers := []struct {
		name    string
		roles   []string
		isAdmin bool
	}{
		{"no roles", nil, false},
		{"other roles", []string{"member", "administrator", "reader"}, false},
		{"admin", []string{"admin"}, true},
		{"admin in other letters, not first", []string{"member", "AdMiN"}, true},
	}
	p := policy.Default()
	for _, c := range callers {
		who := messaging.Caller{Project: "p", Roles: c.roles}
		check := func(rules string, want bool) {
			for rule := range strings.FieldsSeq(rules) {
				err := p.Allow(t.Context(), who, rule)
				if got := err == nil; got != want {
					t.Errorf("%s: %s permitted = %v, want %v", c.name, rule, got, want)
				}
				if err != nil && !errors.Is(err, messaging.Denied) {
					t.Errorf("%s: %s gives %v, want the kind Denied", c.name, rule, err)
				}
			}
		}
		check(anyone, true)
		check(admin, c.isAdmin)
		check(nobody, false)
	}
	if p.Allow(t.Context(), messaging.Caller{}, "") == nil {
		t.Error("the empty rule is permitted")
	}
}

func TestZeroPolicyDenies(t *testing.T) {
	var p policy.Policy
	if err := p.Allow(t.Context(), messaging.Caller{Roles: []string{"admin"}}, "ping:get"); !errors.Is(err, messaging.Denied) {
		t.Errorf("got %v, want Denied", err)
	}
}
