package broker_test

import (
	"fmt"
	"strings"
	"testing"

	"zaqar/auth/policy"
	"zaqar/broker"
	"zaqar/messaging"
)

func TestConfigMistakesNameTheSetting(t *testing.T) {
	for _, tt := range []struct {
		edit func(*broker.Config)
		want string // in the error; empty: no error
	}{
		{func(c *broker.Config) {}, ""},
		{func(c *broker.Config) { c.MaxMessageTTL = 59 }, "max_message_ttl must be between 60 and"},
		{func(c *broker.Config) { c.MaxMessageTTL = 1<<31 - 1 }, ""},
		{func(c *broker.Config) { c.MaxMessageTTL = 1 << 31 }, "max_message_ttl"},
		{func(c *broker.Config) { c.MaxMessageDelay = 1 << 31 }, "max_message_delay"},
		{func(c *broker.Config) { c.MaxClaimTTL = 1 << 31 }, "max_claim_ttl"},
		{func(c *broker.Config) { c.MaxClaimGrace = 1 << 31 }, "max_claim_grace"},
		{func(c *broker.Config) { c.DefaultSubscriptionTTL = 1 << 37 }, ""},
		{func(c *broker.Config) { c.DefaultSubscriptionTTL = 1<<37 + 1 }, "default_subscription_ttl"},
		{func(c *broker.Config) { c.MaxMessagesPostSize = 64<<20 + 1 }, "max_messages_post_size"},
		{func(c *broker.Config) { c.DefaultMessageTTL = 59 }, "default_message_ttl must be between 60 and 1209600, not 59"},
		{func(c *broker.Config) { c.DefaultMessageTTL = 1209601 }, "default_message_ttl"},
		{func(c *broker.Config) { c.DefaultMessageDelay = -1 }, "default_message_delay"},
		{func(c *broker.Config) { c.DefaultMessageDelay = 901 }, "default_message_delay must be between 0 and 900, not 901"},
		{func(c *broker.Config) { c.MaxMessageDelay = 0 }, ""},
		{func(c *broker.Config) { c.MaxMessageDelay = -1 }, "max_message_delay"},
		{func(c *broker.Config) { c.MaxClaimTTL = 59 }, "max_claim_ttl"},
		{func(c *broker.Config) { c.DefaultClaimTTL = 43201 }, "default_claim_ttl"},
		{func(c *broker.Config) { c.MaxClaimGrace = 0 }, "max_claim_grace"},
		{func(c *broker.Config) { c.DefaultClaimGrace = 59 }, "default_claim_grace"},
		{func(c *broker.Config) { c.DefaultSubscriptionTTL = 59 }, "default_subscription_ttl"},
		{func(c *broker.Config) { c.MaxQueuesPerPage = 0 }, "max_queues_per_page"},
		{func(c *broker.Config) { c.MaxMessagesPerPage = 0 }, "max_messages_per_page"},
		{func(c *broker.Config) { c.MaxSubscriptionsPerPage = 0 }, "max_subscriptions_per_page"},
		{func(c *broker.Config) { c.MaxPoolsPerPage = 0 }, "max_pools_per_page"},
		{func(c *broker.Config) { c.MaxFlavorsPerPage = 0 }, "max_flavors_per_page"},
		{func(c *broker.Config) { c.MaxMessagesPerClaimOrPop = 0 }, "max_messages_per_claim_or_pop"},
		{func(c *broker.Config) { c.MaxQueueMetadata = 0 }, "max_queue_metadata"},
		{func(c *broker.Config) { c.MaxMessagesPostSize = 0 }, "max_messages_post_size"},
		{func(c *broker.Config) { c.MaxWait = -1 }, "max_wait"},
		{func(c *broker.Config) { c.MaxWait = 3601 }, "max_wait"},
		{withKeys("a", "b_2-C"), ""},
		{withKeys(""), "encryption key 1"},
		{withKeys("a", "b c"), "encryption key 2"},
		{withKeys(strings.Repeat("k", 33)), "encryption key 1"},
		{withKeys("a", "a"), `encryption key "a" is given twice`},
		{func(c *broker.Config) { c.Keys = []broker.Key{{ID: "a", Secret: make([]byte, 31)}} }, `encryption key "a": the secret must have 32 bytes, not 31`},
	} {
		w := newWorld(t)
		c := config(tt.edit)
		err := w.Reconfigure(c)
		_, newErr := broker.New(c, broker.Parts{Control: w.store, Data: w.store, Policy: policy.Default(), Now: w.clock.now})
		if tt.want == "" {
			if err != nil || newErr != nil {
				t.Errorf("%+v is refused: %v, %v", c, err, newErr)
			}
			continue
		}
		for _, err := range []error{err, newErr} {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got the error %v, want one with %q", err, tt.want)
			}
		}
		wantEqual(t, "configuration after a refused one", w.Config(), broker.Defaults())
	}
}

func TestConfigMistakesAreReportedTogether(t *testing.T) {
	_, err := broker.New(config(func(c *broker.Config) { c.MaxMessageTTL, c.MaxWait, c.MaxQueueMetadata = 1, -1, 0 }), parts(t))
	for _, want := range []string{"max_message_ttl", "max_wait", "max_queue_metadata"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestNewNeedsItsParts(t *testing.T) {
	for i, drop := range []func(*broker.Parts){
		func(p *broker.Parts) { p.Control = nil },
		func(p *broker.Parts) { p.Data = nil },
		func(p *broker.Parts) { p.Policy = nil },
		func(p *broker.Parts) { p.Now = nil },
	} {
		p := parts(t)
		drop(&p)
		if _, err := broker.New(broker.Defaults(), p); err == nil {
			t.Errorf("case %d: no error", i)
		}
	}
}

func parts(t *testing.T) broker.Parts {
	w := newWorld(t)
	return broker.Parts{Control: w.store, Data: w.store, Policy: policy.Default(), Now: w.clock.now}
}

func TestConfigSharesNoMemory(t *testing.T) {
	given := config(withKeys("a"))
	w := newWorld(t)
	if err := w.Reconfigure(given); err != nil {
		t.Fatal(err)
	}
	given.Keys[0].Secret[0]++
	w.Config().Keys[0].Secret[1]++
	wantEqual(t, "configuration", w.Config(), config(withKeys("a")))
}

func TestConfigPrintsNoSecrets(t *testing.T) {
	c := config(withKeys("a"))
	for _, format := range []string{"%v", "%+v", "%s"} {
		if text := fmt.Sprintf(format, c); strings.Contains(text, string(c.Keys[0].Secret)) || strings.Contains(text, fmt.Sprint(c.Keys[0].Secret)) {
			t.Errorf("%s shows a secret: %s", format, text)
		}
	}
}

func TestReconfigureHoldsForTheNextCall(t *testing.T) {
	w := newWorld(t)
	_, err := w.PostMessages(w.ctx(), w.who, q, []broker.Post{{Body: []byte("1"), TTL: ptr[int64](100)}})
	wantKind(t, err, "", "ttl 100")
	if err := w.Reconfigure(config(func(c *broker.Config) { c.MaxMessageTTL, c.DefaultMessageTTL = 99, 99 })); err != nil {
		t.Fatal(err)
	}
	_, err = w.PostMessages(w.ctx(), w.who, q, []broker.Post{{Body: []byte("1"), TTL: ptr[int64](100)}})
	wantKind(t, err, messaging.Invalid, "ttl 100 under a maximum of 99")
}

// No verb shows the secret of a key, alone or in a configuration.
func TestKeysDoNotShow(t *testing.T) {
	k := broker.Key{ID: "k", Secret: []byte("hidden")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, v := range []any{k, &k, []broker.Key{k}, broker.Config{Keys: []broker.Key{k}}} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "hidden") || strings.Contains(text, "0x68, 0x69") || strings.Contains(text, "[104 105") {
				t.Errorf("%s: %s", verb, text)
			}
		}
	}
}
