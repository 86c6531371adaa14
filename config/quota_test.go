package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zaqar/api/rest"
	"zaqar/messaging"
)

func TestQuotas(t *testing.T) {
	c := mustLoad(t, `
[quota]
enabled = True
rate_status = 503
requests_per_second = 100
messages = 0
queues = -1
project = p1 queues=5 messages=-1
project = p/2 requests_per_second=1
  p3 topics=0
`)
	q := c.Options.Quotas
	if d := cmp.Diff(messaging.Limits{messaging.LimitRequests: 100, messaging.LimitMessages: 0}, q.Defaults); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[messaging.Project]messaging.Limits{
		"p1":  {messaging.LimitQueues: 5, messaging.LimitMessages: messaging.Unlimited},
		"p/2": {messaging.LimitRequests: 1},
		"p3":  {messaging.LimitTopics: 0},
	}, q.Projects); d != "" {
		t.Error(d)
	}
	if !q.Enabled || c.Options.REST.RateStatus != rest.Unavailable {
		t.Errorf("enabled %v, status %d", q.Enabled, c.Options.REST.RateStatus)
	}
	again := mustLoad(t, c.Masked())
	if d := cmp.Diff(q, again.Options.Quotas); d != "" {
		t.Errorf("what is shown is not what is in force: %s", d)
	}
}

func TestWrongQuotas(t *testing.T) {
	for _, text := range []string{
		"requests_per_second = 0", "queues = -2", "queues = 9007199254740992", "queues = many", "rate_status = 200",
		"project = p1", "project = p1 queue=1", "project = p1 queues", "project = p1 queues=-2", "project = p1 queues=1 queues=2",
		"project = p1 requests_per_second=0", "project = p1 queues=1\nproject = p1 topics=1",
	} {
		_, r := load(t, "[quota]\nenabled = True\n"+text+"\n")
		if len(r.Errors()) == 0 {
			t.Errorf("%q is not refused", text)
		}
	}
	_, r := load(t, "[quota]\nqueues = 5\n")
	if w := r.Warnings(); len(w) != 1 || !strings.Contains(w[0].Text, "enabled = True") {
		t.Errorf("limits that are not enforced are reported as %v", w)
	}
}
