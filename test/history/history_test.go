package history

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"zaqar/api/rest"
	"zaqar/auth/policy"
	"zaqar/broker"
	"zaqar/internal/testenv"
	"zaqar/storage"
	"zaqar/storage/embedded"
	"zaqar/storage/storagetest"
	"zaqar/storage/storagetest/history"
	"zaqar/test/e2e/daemon"
)

// judge lets clients loose on a server, as often as the environment says: it
// has the words of storagetest.History.
func judge(t *testing.T, begin func(t *testing.T, o *history.Options) history.Target) {
	first := testenv.Int(t, "ZAQAR_HISTORY_SEED", int(time.Now().UnixNano()&0xffffffff))
	for n := range testenv.Int(t, "ZAQAR_HISTORY_RUNS", 2) {
		seed := first + n
		// Each with a test of its own, whose end is that of its server.
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			o := history.Small(uint64(seed))
			o.Clients, o.Calls = testenv.Int(t, "ZAQAR_HISTORY_CLIENTS", 24), testenv.Int(t, "ZAQAR_HISTORY_CALLS", o.Calls)
			o.ShortestTTL, o.LongestTTL = time.Minute, 3*time.Minute // as the API has it
			told, err := history.Run(t.Context(), begin(t, &o), o)
			if err != nil {
				t.Fatal(err)
			}
			told.Judge(t, fmt.Sprintf("ZAQAR_HISTORY_SEED=%d ZAQAR_HISTORY_RUNS=1", seed))
		})
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
