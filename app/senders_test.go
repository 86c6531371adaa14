package app

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zaqar/notify/confirm"
	"zaqar/notify/mail"
	"zaqar/storage"
)

func noDocuments() *confirm.Documents {
	return new(App).documents()
}

// Each scheme that subscribers may have by default is delivered to, and there is
// no other one.
func TestSendersAreTheSubscriberTypes(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	a := &App{options: Defaults(), log: log, undo: undo{log: log}}
	store, err := openStore(Store{Driver: "memory"}, nil, storage.Env{Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	senders, err := a.senders(&a.options.Notification, a.documents(), store)
	if err != nil {
		t.Fatal(err)
	}
	got, want := slices.Sorted(maps.Keys(senders)), slices.Sorted(slices.Values(a.options.Broker.SubscriberTypes))
	if !slices.Equal(got, want) {
		t.Errorf("senders for %v, subscribers of %v", got, want)
	}
	if err := a.undo.run(); err != nil {
		t.Error(err)
	}
}

func TestMailSender(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.pem")
	if err := os.WriteFile(bad, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	smtp := Mail{SMTP: true, Server: mail.Server{Host: "mail.example", Security: mail.Implicit}}
	for name, c := range map[string]struct {
		change func(*Mail)
		ok     bool
	}{
		"as is":           {func(*Mail) {}, true},
		"authorities":     {func(m *Mail) { m.TLS.CAFile = bad }, false},
		"no authorities":  {func(m *Mail) { m.TLS.CAFile = filepath.Join(filepath.Dir(bad), "none") }, false},
		"no server":       {func(m *Mail) { m.Server.Host = "" }, false},
		"password":        {func(m *Mail) { m.Server.Security, m.Server.User, m.Server.Password = mail.Plain, "u", "secret-p" }, false},
		"command":         {func(m *Mail) { *m = Defaults().Mail }, true},
		"empty command":   {func(m *Mail) { *m = Mail{Command: "  "} }, false},
		"command and CAs": {func(m *Mail) { *m = Mail{Command: "true", TLS: ClientTLS{CAFile: bad}} }, true}, // of the other mode
	} {
		m := smtp
		c.change(&m)
		s, err := m.sender(noDocuments(), false, nil)
		if (err == nil) != c.ok || (s != nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "[notification] mail: ") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTrusted(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Trustee)
		ok     bool
	}{
		"none": {func(*Trustee) {}, true},
		"a trustee": {func(o *Trustee) {
			o.Keystone.AuthURL, o.Keystone.Login.UserID, o.Keystone.Login.Password = "http://127.0.0.1:1", "u", "p"
		}, true},
		"no password": {func(o *Trustee) { o.Keystone.AuthURL, o.Keystone.Login.UserID = "http://127.0.0.1:1", "u" }, false},
		"no file": {func(o *Trustee) {
			o.Keystone.AuthURL, o.Keystone.Login.UserID, o.Keystone.Login.Password = "http://127.0.0.1:1", "u", "p"
			o.TLS.CAFile = filepath.Join(t.TempDir(), "none")
		}, false},
	} {
		log := slog.New(slog.DiscardHandler)
		a := &App{options: Defaults(), log: log, undo: undo{log: log}}
		c.change(&a.options.Trustee)
		store, err := openStore(Store{Driver: "memory"}, nil, storage.Env{Now: time.Now, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.trusted(nil, store)
		if (err == nil) != c.ok || (s != nil) != c.ok || err != nil && !strings.Contains(err.Error(), "[trustee]: ") {
			t.Errorf("%s: %v", name, err)
		}
		if err := a.undo.run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_ = store.Close()
	}
}

// Without a catalogue, what is configured counts.
func TestPublicURLs(t *testing.T) {
	a := &App{options: Defaults()}
	if api, websocket := a.publicURLs(context.Background()); api+websocket != "" {
		t.Errorf("%q, %q", api, websocket)
	}
	a.options.Confirmation.PublicURL, a.options.Confirmation.PublicWebSocketURL = "https://cloud.example", "wss://cloud.example"
	if api, websocket := a.publicURLs(context.Background()); api != "https://cloud.example" || websocket != "wss://cloud.example" {
		t.Errorf("%q, %q", api, websocket)
	}
}
