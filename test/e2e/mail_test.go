package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

// TestMails has one mail per message, each in a process of its own, and one that
// is refused does not keep those behind it.
func TestMails(t *testing.T) {
	t.Parallel()
	command, mails := mailbox(t)
	picky := filepath.Join(t.TempDir(), "picky")
	script := fmt.Sprintf("#!/bin/sh\nm=$(mktemp)\ntrap 'rm -f \"$m\"' EXIT\ncat >\"$m\"\nif grep -q refused \"$m\"; then echo secret-of-the-command >&2; exit 67; fi\n%s \"$@\" <\"$m\"\n", command)
	if err := os.WriteFile(picky, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	d := daemon.Start(t, daemon.Options{Config: "[notification]\nsmtp_command = " + picky + " -t -oi\n"})
	c := d.Client()
	var made struct{ Subscription_ID string }
	c.Do(t, "POST", "/v2/queues/q/subscriptions", map[string]any{"subscriber": "mailto:ops@example.org?subject=work"}).Want(201).JSON(&made)
	c.Post(t, "q", "one", "refused", "thr\u00e9\u00e9")
	var bodies []string
	testwait.Until(t, "two mails", func() bool { return len(mails()) == 2 })
	for _, text := range mails() {
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil || m.Header.Get("Subject") != "work" || m.Header.Get("From") != "" {
			t.Fatalf("%v:\n%s", err, text)
		}
		b, _ := io.ReadAll(m.Body)
		if m.Header.Get("Content-Transfer-Encoding") == "base64" {
			bodies = append(bodies, "base64")
			continue
		}
		var doc struct{ Body string }
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Errorf("%v:\n%s", err, b)
		}
		bodies = append(bodies, doc.Body)
	}
	if slices.Sort(bodies); !slices.Equal(bodies, []string{"base64", "one"}) {
		t.Errorf("mails about %q", bodies)
	}
	// What the command says is for the log, not for the owner.
	path := "/v2/queues/q/subscriptions/" + made.Subscription_ID + "/deliveries"
	testwait.Until(t, "the refusal is told", func() bool {
		a := c.Do(t, "GET", path, nil).Want(200)
		if strings.Contains(string(a.Body), "secret-of-the-command") {
			t.Fatalf("the owner is told %s", a.Body)
		}
		return strings.Contains(string(a.Body), "The mail was refused.")
	})
	d.Stop(t)
}

// TestMailsThatAreNeverSent has subscribers by mail who would have to be asked
// and cannot be: the subscription is made all the same.
func TestMailsThatAreNeverSent(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"no page": "[signed_url]\nsecret_key = a-secret-key-for-signatures\n",
		"no key":  "[notification]\npublic_url = https://cloud.example\n",
	} {
		t.Run(name, func(t *testing.T) {
			command, mails := mailbox(t)
			d := daemon.Start(t, daemon.Options{Config: config + "[notification]\nrequire_confirmation = True\nsmtp_command = " + command + " -t -oi\n"})
			d.Client().Do(t, "POST", "/v2/queues/q/subscriptions", map[string]any{"subscriber": "mailto:ops@example.org"}).Want(201)
			d.Await(t, "a subscriber cannot be told about confirmation", 1)
			d.Stop(t)
			if got := mails(); len(got) != 0 {
				t.Errorf("mails %q", got)
			}
		})
	}
}
