package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"zaqar/bench/process"
	"zaqar/test/e2e/daemon"
)

var (
	kills = flag.Int("deliver.kills", 6, "how often to kill the server")
	seed  = flag.Uint64("deliver.seed", 0, "of the moments; 0: another one each time")
)

func TestMain(m *testing.M) { os.Exit(daemon.Main(m, false)) }

// kinds are the ways in which subscribers behave.
func kinds() []string { return []string{"well", "well2", "flaky", "slow", "down"} }

// sink is who is subscribed.
type sink struct {
	*httptest.Server
	up  atomic.Bool // the subscriber that is down is not, any more
	mu  sync.Mutex
	got map[string]map[string]int // kind, message, how often
}

func newSink() *sink {
	s := &sink{got: map[string]map[string]int{}}
	for _, k := range append(kinds(), "unconfirmed") {
		s.got[k] = map[string]int{}
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

func (s *sink) serve(w http.ResponseWriter, r *http.Request) {
	kind := strings.TrimPrefix(r.URL.Path, "/")
	var d struct{ Body string }
	if err := json.NewDecoder(r.Body).Decode(&d); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch {
	case kind == "flaky" && rand.IntN(3) == 0, kind == "down" && !s.up.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case kind == "slow":
		time.Sleep(20 * time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[kind][d.Body]++
}

// missing returns how many of the messages have not reached a subscriber, and
// one of them.
func (s *sink) missing(kind string, acked []string) (n int, one string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range acked {
		if s.got[kind][m] == 0 {
			n, one = n+1, m
		}
	}
	return n, one
}

// program is the server with its files.
type program struct {
	bin, dir, config, log string
	client                *http.Client
}

func newProgram(t *testing.T) *program {
	t.Helper()
	dir := t.TempDir()
	p := &program{bin: daemon.Shipped(t), dir: filepath.Join(dir, "data"), config: filepath.Join(dir, "zaqar.conf"), log: filepath.Join(dir, "log"),
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	const config = "[DEFAULT]\naccess_log = False\n[notification]\nallowed_targets = 127.0.0.1\n"
	if err := os.WriteFile(p.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *program) start(t *testing.T) *process.Process {
	t.Helper()
	s, err := process.Start(t.Context(), process.Command{Name: "the server", Log: p.log, Patience: time.Minute,
		Args: []string{p.bin, "server", "--config-file", p.config, "--data-dir", p.dir, "--bind", "127.0.0.1", "--port", "0"}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// kill ends a life as a loss of power to the process would.
func kill(s *process.Process) {
	_ = syscall.Kill(s.Pid(), syscall.SIGKILL)
	_ = s.Stop() // waits
}

// ask makes a request and returns the body of its answer, or an error if that
// is missing or not a good one.
func (p *program) ask(ctx context.Context, s *process.Process, method, path, body string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.Addr+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Client-ID", "3381af92-2b9e-11e3-b191-71861300734c")
	r.Header.Set("X-Project-ID", "p")
	r.Header.Set("Content-Type", "application/json")
	a, err := p.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %s", method, path, a.StatusCode, text)
	}
	return text, err
}

// load is what clients do in one life: they post until the server is gone, and
// not faster than deliveries follow, so that it goes with posts under way.
type load struct {
	clients, life int
	post          func(names []string) error // messages with these bodies
	pause         func() time.Duration       // of a client between posts, on average
}

// run returns what was acknowledged.
func (l load) run() (acked []string) {
	var mu sync.Mutex
	var clients sync.WaitGroup
	for c := range l.clients {
		clients.Go(func() {
			for n := 0; ; n++ {
				var names []string
				for i := range 1 + rand.IntN(5) {
					names = append(names, fmt.Sprintf("%d-%d-%d-%d", l.life, c, n, i))
				}
				if l.post(names) != nil {
					return
				}
				mu.Lock()
				acked = append(acked, names...)
				mu.Unlock()
				time.Sleep(rand.N(2 * l.pause()))
			}
		})
	}
	clients.Wait()
	return acked
}

// load posts until the server is gone, and little while deliveries are behind.
func (p *program) load(t *testing.T, s *process.Process, life int, behind func() bool) (acked []string) {
	return load{clients: 8, life: life,
		pause: func() time.Duration {
			if behind() {
				return 200 * time.Millisecond
			}
			return 20 * time.Millisecond
		},
		post: func(names []string) error {
			messages := `{"ttl":3600,"body":"` + strings.Join(names, `"},{"ttl":3600,"body":"`) + `"}`
			_, err := p.ask(t.Context(), s, "POST", "/v2/topics/news/messages", `{"messages":[`+messages+`]}`)
			return err
		}}.run()
}

// TestKill is the ledger: what was acknowledged reaches every subscriber.
func TestKill(t *testing.T) {
	p, sink := newProgram(t), newSink()
	defer sink.Close()
	moments := dice(t)
	want := *kills
	if testing.Short() {
		want = min(want, 3)
	}
	s := p.start(t)
	for _, k := range kinds() {
		p.subscribe(t, s, sink.URL+"/"+k)
	}
	p.subscribe(t, s, "queue:copies")
	var acked []string
	for life := range want {
		pid := s.Pid()
		time.AfterFunc(time.Duration(50+moments.IntN(700))*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		before := len(acked)
		behind := func() bool { n, _ := sink.missing("slow", acked); return n > 3000 }
		acked = append(acked, p.load(t, s, life, behind)...)
		kill(s)
		t.Logf("life %d: %d messages acknowledged", life, len(acked)-before)
		s = p.start(t)
	}
	defer kill(s)
	sink.up.Store(true)
	if len(acked) < 10*want {
		t.Fatalf("only %d messages were acknowledged", len(acked))
	}
	p.await(t, s, sink, acked)
	p.countDuplicates(t, sink, want)
}

func (p *program) subscribe(t *testing.T, s *process.Process, subscriber string) {
	t.Helper()
	if _, err := p.ask(t.Context(), s, "POST", "/v2/topics/news/subscriptions", fmt.Sprintf(`{"subscriber":%q,"ttl":86400}`, subscriber)); err != nil {
		t.Fatal(err)
	}
}

// patience is how long the last life may take: leases have to end, and the
// breaker of the subscriber that was down has to close.
const patience = 5 * time.Minute

// await waits until everybody has got everything.
func (p *program) await(t *testing.T, s *process.Process, sink *sink, acked []string) {
	t.Helper()
	begun := time.Now()
	for ; ; time.Sleep(200 * time.Millisecond) {
		left := ""
		for _, k := range kinds() {
			if n, one := sink.missing(k, acked); n > 0 {
				left += fmt.Sprintf(" %s misses %d of %d (%s)", k, n, len(acked), one)
			}
		}
		if left == "" {
			if left = p.missingCopies(t, s, acked); left == "" {
				t.Logf("everybody has all %d messages after %v", len(acked), time.Since(begun).Round(time.Millisecond))
				return
			}
		}
		if time.Since(begun) > patience {
			t.Fatalf("after %v:%s", patience, left)
		}
	}
}

// missingCopies says which messages the subscribed queue misses.
func (p *program) missingCopies(t *testing.T, s *process.Process, acked []string) string {
	t.Helper()
	found := map[string]bool{}
	for next := "/v2/queues/copies/messages?limit=20&echo=true&include_claimed=true"; next != ""; {
		text, err := p.ask(t.Context(), s, "GET", next, "")
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Messages []struct{ Body string }
			Links    []struct{ Href string }
		}
		if err := json.NewDecoder(bytes.NewReader(text)).Decode(&page); err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			found[m.Body] = true
		}
		if next = ""; len(page.Messages) > 0 && len(page.Links) > 0 {
			next = page.Links[0].Href
		}
	}
	n := 0
	for _, m := range acked {
		if !found[m] {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" the queue misses %d of %d", n, len(acked))
}

// countDuplicates fails if a message reached somebody more often than the server
// lived, or all of them more than twice on average: one kill in the life in which
// it was posted is what a message can have been under way in.
func (p *program) countDuplicates(t *testing.T, sink *sink, lives int) {
	t.Helper()
	sink.mu.Lock()
	defer sink.mu.Unlock()
	for _, k := range kinds() {
		all, more, again := 0, 0, 0
		for m, n := range sink.got[k] {
			all++
			again += n - 1
			if n > 1 {
				more++
			}
			if n > lives+1 {
				t.Errorf("%s got %s %d times in %d lives", k, m, n, lives+1)
			}
		}
		t.Logf("%s got %d messages, %d of them more than once", k, all, more)
		if again > all {
			t.Errorf("%s got %d messages %d times too often", k, all, again)
		}
	}
}
