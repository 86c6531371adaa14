package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"zaqar/bench/process"
)

// options are the flags.
type options struct {
	binary      string // of the server; empty: built here
	dir         string // where data directories are made
	scenarios   string // of zaqar bench run, separated by blanks
	connections int
	rounds      int
	duration    time.Duration
}

func main() {
	var o options
	f := flag.NewFlagSet("door", flag.ExitOnError)
	f.StringVar(&o.binary, "binary", os.Getenv("ZAQAR_BINARY"), "the server `program`; built if empty")
	f.StringVar(&o.dir, "dir", os.TempDir(), "make data directories in this `directory`")
	f.StringVar(&o.scenarios, "scenarios", "post-1", "`scenarios` of zaqar bench run")
	f.IntVar(&o.connections, "connections", 16, "keep-alive connections")
	f.IntVar(&o.rounds, "rounds", 7, "pairs of samples")
	f.DurationVar(&o.duration, "duration", 3*time.Second, "of each sample")
	_ = f.Parse(os.Args[1:]) // exits on an error
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, f.Args(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "door:", err)
		os.Exit(1)
	}
}

// comparison is two configurations of a server: with what costs, and without.
type comparison struct{ name, with, without string }

func comparisons(authentication string) []comparison {
	const logged, silent = "[drivers:transport:wsgi]\naccess_log = True\n", "[drivers:transport:wsgi]\naccess_log = False\n"
	return []comparison{
		{"keystone", authentication + logged, logged},
		{"all", authentication + logged + "[metrics]\nenabled = True\nport = 0\n", silent},
	}
}

func run(ctx context.Context, o options, names []string, stdout, stderr io.Writer) error {
	work, err := os.MkdirTemp(o.dir, "zaqar-door-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if o.binary == "" {
		o.binary = filepath.Join(work, "zaqar")
		if text, err := exec.CommandContext(ctx, "go", "build", "-o", o.binary, "zaqar/cmd/zaqar").CombinedOutput(); err != nil {
			return fmt.Errorf("building the server: %w\n%s", err, text)
		}
	}
	k := newKeystone()
	defer k.Close()
	all := comparisons(k.config())
	for _, name := range names {
		if name != all[0].name && name != all[1].name {
			return fmt.Errorf("there is no comparison %q", name)
		}
	}
	for _, c := range all {
		if len(names) > 0 && !strings.Contains(strings.Join(names, " "), c.name) {
			continue
		}
		if err := compare(ctx, o, work, c, stdout, stderr); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if n := k.asked.Load(); n > int64(len(all)) {
		return fmt.Errorf("the cache was not warm: Keystone was asked %d times", n)
	}
	return nil
}

// compare puts both servers under load.
func compare(ctx context.Context, o options, work string, c comparison, stdout, stderr io.Writer) error {
	with, err := start(ctx, o.binary, filepath.Join(work, c.name+"-with"), c.with)
	if err != nil {
		return err
	}
	defer func() { _ = with.Stop() }()
	without, err := start(ctx, o.binary, filepath.Join(work, c.name+"-without"), c.without)
	if err != nil {
		return err
	}
	defer func() { _ = without.Stop() }()
	if err := differ(ctx, with, without); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: with ÷ without\n", c.name)
	cmd := exec.CommandContext(ctx, o.binary, append([]string{
		"bench", "run", "--quiet", "--token", token, "--project", project,
		"--server-url", with.url(), "--pid", strconv.Itoa(with.Pid()),
		"--against", without.url(), "--against-pid", strconv.Itoa(without.Pid()),
		"--connections", strconv.Itoa(o.connections), "--rounds", strconv.Itoa(o.rounds), "--duration", o.duration.String(),
	}, strings.Fields(o.scenarios)...)...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd.Run()
}

// differ makes sure that one server asks for tokens and the other does not.
func differ(ctx context.Context, with, without *server) error {
	for s, want := range map[*server]int{with: http.StatusUnauthorized, without: http.StatusOK} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url()+"/v2/queues", nil)
		if err != nil {
			return err
		}
		r.Header.Set("Client-ID", "6f6d6e69-2062-4e63-8000-000000000000")
		r.Header.Set("X-Project-ID", project)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			return fmt.Errorf("without a token the status is %d, want %d", res.StatusCode, want)
		}
	}
	return nil
}

// server is the real program.
type server struct {
	*process.Process
	api string // host:port
}

func (s *server) url() string { return "http://" + s.api }

// listening finds the API's address: others are logged before.
var listening = regexp.MustCompile(`msg=listening address=http://(\S+)`)

func start(ctx context.Context, binary, name, config string) (*server, error) {
	if err := os.WriteFile(name+".conf", []byte(config), 0o600); err != nil {
		return nil, err
	}
	p, err := process.Start(ctx, process.Command{
		Name: "the server", Log: name + ".log", Patience: time.Minute,
		Args: []string{binary, "server", "--config-file", name + ".conf", "--data-dir", name + ".data", "--bind", "127.0.0.1", "--port", "0"},
	})
	if err != nil {
		return nil, err
	}
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for begun := time.Now(); time.Since(begun) < time.Minute; <-look.C {
		if addr, err := p.Logged(listening); err == nil && addr != "" {
			return &server{p, addr}, nil
		}
	}
	return nil, errors.Join(errors.New("the server does not tell where it listens"), p.Stop())
}

// The one token there is, as long as Keystone's.
const (
	project = "518b51ea133c4facadae42c328d6b77b"
	part    = "0123456789-abcdefghijklmnopqrstuvwxyz_ABCDEF"
	token   = "gAAAAAB" + part + part + part + part
)

// keystone knows the token.
type keystone struct {
	*httptest.Server
	asked atomic.Int64
}

func newKeystone() *keystone {
	k := new(keystone)
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const user = `{"token":{"user":{"id":"user","domain":{"id":"default"}},"expires_at":"2999-01-01T00:00:00Z"`
		switch {
		case r.Method == http.MethodPost:
			w.Header().Set("X-Subject-Token", "own")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, user+"}}")
		case r.Header.Get("X-Subject-Token") == token:
			k.asked.Add(1)
			_, _ = io.WriteString(w, user+`,"project":{"id":"`+project+`","domain":{"id":"default"}},"roles":[{"name":"member"},{"name":"reader"}]}}`)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	return k
}

// config makes a server use it. The cache lasts longer than any measurement.
func (k *keystone) config() string {
	return "[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\nauth_url = " + k.URL + "/v3\n" +
		"user_id = zaqar\npassword = secret\ntoken_cache_time = 86400\n"
}
