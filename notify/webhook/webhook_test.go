package webhook_test

import (
	"testing"

	"zaqar/internal/dnstest"
	"zaqar/internal/egress"
	"zaqar/notify"
	"zaqar/notify/notifytest"
	"zaqar/notify/webhook"
)

// local lets a sender reach this machine.
func local(t testing.TB) egress.List {
	t.Helper()
	l, err := egress.ParseList([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSender(t *testing.T) {
	notifytest.Run(t, notifytest.Harness{New: func(t testing.TB, c notifytest.Config) (notify.Sender, func()) {
		w := webhook.Defaults()
		w.Timeout, w.Authorities, w.Now, w.Allow = c.Timeout, c.Authorities, c.Now, local(t)
		w.Resolver = dnstest.New(t, nil).Resolver()
		s := webhook.New(w)
		t.Cleanup(s.Close)
		return s, s.Close
	}})
}
