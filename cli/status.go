package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"zaqar/app"
	"zaqar/config"
)

func (prog Program) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell whether a server and its store are well, with an exit code",
		Long: `Tell whether a server answers and can use its store, and whether the store on
this machine shows signs of trouble: a disk error, a damaged header, a full disk.
It takes milliseconds and may be run as often as one likes.

The server is the one at --server-url, else the one that the configuration
describes, under TLS known by the certificate in its file. Without OS_TOKEN a
server that wants a token is judged by its page /healthcheck. The store is looked
at if --data-dir names it, or if --server-url does not name another server and
there is one. OS_TOKEN is sent to the server if it is set.

The exit code is 0 when all is well, 1 when something is not or the server cannot
be reached, 2 when the command line was not understood, 3 when the server is well
and its store cannot be judged because this user may not read it.

JSON: healthy; unknown, if the store cannot be judged; server {url, healthy,
status, seconds, problem}; store, if one was looked at, {dir, store, healthy,
unknown, problems, segments, disk, free_on_disk, quarantine}.`,
		Example: `  zaqar status
  zaqar status --server-url http://192.0.2.7:8888 --timeout 2s
  zaqar status --json | jq -e .healthy
  zaqar status upgrade check --config-file /etc/zaqar/zaqar.conf`,
		Args: subcommand,
	}
	f := cmd.Flags()
	src := prog.system()
	s := &statusRun{src: &src, healthcheck: "/healthcheck"}
	f.StringVarP(&s.url, "server-url", "s", "", "ask the server at this `URL`")
	f.DurationVar(&s.timeout, "timeout", 5*time.Second, "how long to wait for its answer")
	f.BoolVar(&s.asJSON, "json", false, "print one JSON object")
	dataDirFlag(f, s.src)
	fileFlags(f, s.src)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.check(); err != nil {
			return err
		}
		return s.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	cmd.AddCommand(prog.upgradeCommand())
	return cmd
}

// statusRun is one run of the command.
type statusRun struct {
	src     *config.Sources
	url     string
	timeout time.Duration
	asJSON  bool

	healthcheck string      // path of the page that needs no token; empty: none
	tls         *tls.Config // nil: as for any server
}

// check returns what is wrong with the command line: nothing can be told of a
// server then, least of all that it is not well.
func (s *statusRun) check() error {
	if s.timeout <= 0 {
		return fmt.Errorf("--timeout %s: must be positive", s.timeout)
	}
	if s.url == "" {
		return nil
	}
	if !isServer(s.url) {
		return fmt.Errorf("--server-url %q is not the URL of a server, such as http://127.0.0.1:8888", s.url)
	}
	return nil
}

// isServer reports whether a URL can be that of a server: paths are added to it.
func isServer(text string) bool {
	u, err := url.Parse(text)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(cmp.Or(u.Port(), "80"), 10, 16)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && !strings.ContainsAny(text, "?#")
}

// statusReport is what the command tells.
type statusReport struct {
	Healthy bool         `json:"healthy"`           // as far as is known
	Unknown bool         `json:"unknown,omitempty"` // the store cannot be judged
	Server  serverStatus `json:"server"`
	Store   *storeStatus `json:"store,omitempty"`
}

// storeStatus is what a glance at the store showed.
type storeStatus struct {
	app.StoreCondition
	Unknown bool `json:"unknown,omitempty"` // this user may not look
}

// serverStatus is how the server answered.
type serverStatus struct {
	URL     string  `json:"url"`
	Healthy bool    `json:"healthy"`
	Status  int     `json:"status,omitempty"` // of HTTP
	Seconds float64 `json:"seconds"`
	Problem string  `json:"problem,omitempty"`
}

func (s *statusRun) run(ctx context.Context, stdout, stderr io.Writer) error {
	url, dir, must, err := s.places(stderr)
	if err != nil {
		return failureError{err}
	}
	r := statusReport{Server: s.ask(ctx, url)}
	r.Healthy = r.Server.Healthy
	if dir != "" {
		r.Store = glance(ctx, dir, must)
	}
	if r.Store != nil {
		r.Unknown = r.Store.Unknown && r.Healthy
		r.Healthy = r.Healthy && r.Store.Healthy
	}
	if s.asJSON {
		err = printJSON(stdout, r)
	} else {
		err = printStatus(stdout, &r)
	}
	switch {
	case err != nil:
		return err
	case r.Unknown:
		return codedError{reportedError{errors.New("not known to be healthy")}, exitUnknown}
	case !r.Healthy:
		return reportedError{errors.New("not healthy")}
	}
	return nil
}

// exitUnknown says that nothing is known to be wrong, nor that all is well.
const exitUnknown = 3

// glance looks at the store in a directory. It returns nil if there is none and
// there need not be one.
func glance(ctx context.Context, dir string, must bool) *storeStatus {
	c, err := app.Tools{Dir: dir}.Glance(ctx)
	switch {
	case err == nil:
		return &storeStatus{StoreCondition: *c}
	case errors.Is(err, app.ErrNoStore) && !must:
		return nil
	}
	s := &storeStatus{StoreCondition: app.StoreCondition{Dir: dir, Problems: []string{err.Error()}}}
	if s.Unknown = errors.Is(err, fs.ErrPermission); s.Unknown {
		s.Problems[0] = notMine(err)
	}
	return s
}

// notMine is what to do when the store belongs to another user.
func notMine(err error) string {
	return fmt.Sprintf("user %d may not read it (%v): ask as the user of the server", os.Geteuid(), err)
}

// places finds out which server to ask and which directory to look at; must
// tells that there has to be a store.
func (s *statusRun) places(stderr io.Writer) (url, dir string, must bool, err error) {
	for _, f := range s.src.Flags {
		dir, must = f.Value, true
	}
	if s.url != "" {
		return strings.TrimSuffix(s.url, "/"), dir, must, nil
	}
	c, report := config.Load(*s.src)
	if errs := report.Errors(); len(errs) > 0 {
		fmt.Fprint(stderr, errs)
		return "", "", false, fmt.Errorf("%s in the configuration; name the server with --server-url", count(len(errs), "error"))
	}
	h := c.Options.HTTP
	if h.Port == 0 {
		return "", "", false, errors.New("the configuration leaves the port to the system; name the server with --server-url")
	}
	host := h.Bind
	if a, err := netip.ParseAddr(host); err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
		if a.Is6() {
			host = "::1"
		}
	}
	if configured, err := c.Options.Store.Directory(); err == nil {
		dir = cmp.Or(dir, configured)
	}
	s.healthcheck = c.Options.REST.Healthcheck.Path
	scheme := "http"
	if h.TLS.On() {
		scheme = "https"
		if s.tls, err = itself(h.TLS); err != nil {
			return "", "", false, err
		}
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.FormatInt(h.Port, 10)), dir, must, nil
}

// client returns one that does not follow redirects: the token is for the
// server that was named.
func (s *statusRun) client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.tls, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ask pings the server.
func (s *statusRun) ask(ctx context.Context, url string) serverStatus {
	st := serverStatus{URL: url}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v2/ping", nil)
	if err != nil {
		st.Problem = err.Error()
		return st
	}
	req.Header.Set("Client-ID", uuid.NewString())
	req.Header.Set("X-Project-ID", "status")
	if token := os.Getenv("OS_TOKEN"); token != "" {
		req.Header.Set("X-Auth-Token", token)
	}
	begun := time.Now()
	resp, err := s.client().Do(req)
	st.Seconds = time.Since(begun).Seconds()
	if err != nil {
		st.Problem = fmt.Sprintf("it cannot be reached: %v", err)
		return st
	}
	resp.Body.Close()
	st.Status = resp.StatusCode
	switch st.Status {
	case http.StatusNoContent:
		st.Healthy = true
	case http.StatusServiceUnavailable:
		st.Problem = "it cannot use its store"
	case http.StatusUnauthorized, http.StatusForbidden:
		s.askWithoutToken(ctx, url, &st)
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		st.Problem = fmt.Sprintf("it answers with status %d and refers to %q, which is not asked", st.Status, resp.Header.Get("Location"))
	default:
		st.Problem = fmt.Sprintf("it answers with status %d", st.Status)
	}
	return st
}

// printStatus writes the report for people.
func printStatus(out io.Writer, r *statusReport) error {
	verdict := func(ok, unknown bool) string {
		switch {
		case ok:
			return "ok"
		case unknown:
			return "not known"
		}
		return "NOT OK"
	}
	fmt.Fprintf(out, "server %s: %s", r.Server.URL, verdict(r.Server.Healthy, false))
	if r.Server.Problem != "" {
		fmt.Fprintf(out, ": %s", r.Server.Problem)
	}
	fmt.Fprintln(out)
	if r.Store == nil {
		return nil
	}
	fmt.Fprintf(out, "store %s: %s", r.Store.Dir, verdict(r.Store.Healthy, r.Store.Unknown))
	if len(r.Store.Problems) > 0 {
		fmt.Fprintf(out, ": %s", strings.Join(r.Store.Problems, "; "))
	} else {
		fmt.Fprintf(out, ": %s, %s, %s free", count(r.Store.Segments, "file"), size(r.Store.Disk), size(r.Store.Free))
	}
	if r.Store.Quarantine > 0 {
		fmt.Fprintf(out, "; %s in quarantine", count(r.Store.Quarantine, "damaged segment"))
	}
	_, err := fmt.Fprintln(out)
	return err
}
