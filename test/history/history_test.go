package history

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"zaqar/api/rest"
	"zaqar/auth/policy"
	"zaqar/broker"
	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/storagetest"
	"zaqar/storage/storagetest/history"
	"zaqar/test/e2e/daemon"
)

// The environment says how much the tests do, as for storagetest.History.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text, given := os.LookupEnv(name)
	if !given {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%s is no number", name, text)
	}
	return n
}

// judge lets clients loose on a server, as often as the environment says.
func judge(t *testing.T, begin func(t *testing.T, o *history.Options) history.Target) {
	seed := setting(t, "ZAQAR_HISTORY_SEED", int(time.Now().UnixNano()&0xffffffff))
	for n := range setting(t, "ZAQAR_HISTORY_RUNS", 2) {
		o := history.Small(uint64(seed + n))
		o.Clients, o.Calls = setting(t, "ZAQAR_HISTORY_CLIENTS", 24), setting(t, "ZAQAR_HISTORY_CALLS", o.Calls)
		o.ShortestTTL, o.LongestTTL = time.Minute, 3*time.Minute // as the API has it
		told, err := history.Run(t.Context(), begin(t, &o), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(told.Figures())
		found := told.Check()
		for _, v := range found[:min(len(found), 5)] {
			t.Error(v)
		}
		if len(found) > 0 {
			t.Fatalf("%d violations; ZAQAR_HISTORY_SEED=%d repeats the intentions", len(found), seed+n)
		}
	}
}

func TestServerOnALeapingClock(t *testing.T) {
	judge(t, func(t *testing.T, o *history.Options) history.Target {
		clock := storagetest.NewClock()
		log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
		store, err := embedded.Open(t.TempDir(), embedded.Config{}, storage.Env{Now: clock.Now, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		b, err := broker.New(broker.Defaults(), broker.Parts{Control: store, Data: store, Policy: policy.Default(), Now: clock.Now, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		c := rest.Defaults()
		c.Now = clock.Now
		o.Now, o.Pass = clock.Now, clock.Advance
		server := httptest.NewServer(rest.New(c, b, log))
		t.Cleanup(server.Close)
		return target{server.URL, connections(t, o)}
	})
}

func TestProgram(t *testing.T) {
	judge(t, func(t *testing.T, o *history.Options) history.Target {
		d := daemon.Start(t, daemon.Options{Config: "[drivers:transport:wsgi]\naccess_log = false\n"})
		o.Now, o.Slack = time.Now, 2*time.Second
		return target{d.URL, connections(t, o)}
	})
}

// connections returns a client with one for each of the load's.
func connections(t *testing.T, o *history.Options) *http.Client {
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.Clients}, Timeout: daemon.Patience}
	t.Cleanup(c.CloseIdleConnections)
	return c
}
