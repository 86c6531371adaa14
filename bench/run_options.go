package bench

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"zaqar/bench/load"
	"zaqar/bench/nullsink"
)

// AgainstNull is the Against of the null sink.
const AgainstNull = "null"

// RunOptions says what Run measures and how.
type RunOptions struct {
	Programs  Programs
	Scenarios []string // see ScenarioList
	// ServerURL is the server that is measured; empty: one of this program, on
	// an empty data directory.
	ServerURL string
	// Against is what it is compared with, in turns: AgainstNull, or the URL of
	// another server. Empty: nothing.
	Against string
	// Pids and AgainstPids are the processes of the servers, for what they use.
	// Those that the benchmark starts are known.
	Pids, AgainstPids []int

	Rounds      int
	Duration    time.Duration // measured time of each sample
	Warmup      time.Duration // before that
	Connections int
	Rate        float64       // steps a second; 0: as many as there can be
	Size        int           // bytes of a message body
	Batch       int           // messages in one request; 0: the scenario's
	Fill        int           // messages a queue begins with; -1: the scenario's
	Depths      []int         // of backlog
	Queues      int           // of many-queues
	Timeout     time.Duration // for one answer

	Project string
	Token   string   // X-Auth-Token; empty: none
	Headers []string // more, as "Name: value"; they replace those of the same name
	Prefix  string   // names of queues begin with it

	Dir   string // the data directory of a server of one's own is made here
	JSON  string // file that gets the report; "-": stdout, which then gets no table
	Keep  bool   // keep queues, data directories and logs
	Quiet bool   // tell nothing of the progress
	Procs int    // GOMAXPROCS of the client
}

// DefaultRun returns the usual options, without programs and scenarios.
func DefaultRun() RunOptions {
	return RunOptions{
		Rounds: 3, Duration: 5 * time.Second, Warmup: time.Second, Connections: 16, Size: 1024, Fill: -1,
		Depths: []int{10_000, 1_000_000}, Queues: 1000, Timeout: 30 * time.Second,
		Project: "bench", Prefix: "zaqar-bench", Dir: os.TempDir(), Procs: 1,
	}
}

var (
	header    = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\u0080-\u00ff]*$")
	queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)
)

// maxRate bounds the steps of a second.
const maxRate = 1_000_000

// maxPost bounds the messages of one post together, in bytes.
const maxPost = 256 << 20

// Check returns what is wrong with the options.
func (o *RunOptions) Check() error {
	if len(o.Scenarios) == 0 {
		return errors.New("no scenario; there are:\n" + ScenarioList())
	}
	all, err := o.all()
	if err != nil {
		return err
	}
	for _, url := range []string{o.ServerURL, o.Against} {
		if url == "" || url == AgainstNull && url == o.Against {
			continue
		}
		if _, err := load.ParseURL(url); err != nil {
			return err
		}
	}
	for _, h := range append(o.headers(), "X-Project-ID: "+o.Project) {
		if !header.MatchString(h) {
			return fmt.Errorf("%.40q is not a header, such as \"Name: value\"", h)
		}
		if slices.Contains(ownHeaders(), load.HeaderName(h)) {
			return fmt.Errorf("%.40q: the benchmark gives this header itself", h)
		}
	}
	for _, d := range o.Depths {
		if d < 1 {
			return errors.New("a depth must be positive")
		}
	}
	for _, j := range all {
		if o.Against == AgainstNull && j.Waits() {
			return fmt.Errorf("%s: the null sink never has nothing, so that nobody waits there", j.Name)
		}
		if o.Against == AgainstNull && max(j.List, j.Claim) > nullsink.MaxPage {
			return fmt.Errorf("%s: the null sink lists and hands out no more than %d messages", j.Name, nullsink.MaxPage)
		}
		if o.Against == AgainstNull && j.Post > nullsink.MaxPost {
			return fmt.Errorf("%s: the null sink takes no more than %d messages in a post", j.Name, nullsink.MaxPost)
		}
		if j.List > 0 && j.Post == 0 && j.fill == 0 {
			return fmt.Errorf("%s: there is nothing to list in a queue that begins with nothing", j.Name)
		}
		if o.Size > maxPost/max(1, j.Post) {
			return fmt.Errorf("%s: a post must not take more than %d bytes", j.Name, maxPost)
		}
	}
	switch {
	case o.Rounds < 1 || o.Connections < 1 || o.Queues < 1 || o.Procs < 1:
		return errors.New("rounds, connections, queues and processors of the client must be positive")
	case o.Duration <= 0 || o.Warmup < 0 || o.Timeout <= 0:
		return errors.New("the duration and the timeout must be positive, and the warm-up not negative")
	case o.Size < minSize:
		return fmt.Errorf("bodies must have %d bytes or more", minSize)
	case !(o.Rate >= 0 && o.Rate <= maxRate):
		return fmt.Errorf("rate %v: must be 0 to %d steps a second", o.Rate, maxRate)
	case o.Batch < 0:
		return errors.New("the batch must not be negative")
	case o.Fill < -1:
		return errors.New("a queue cannot begin with less than no messages")
	case !queueName.MatchString(o.Prefix):
		return errors.New("the prefix of queues must have 1 to 40 letters, digits, _ and -")
	case len(o.AgainstPids) > 0 && (o.Against == "" || o.Against == AgainstNull):
		return errors.New("process ids of a second server, but its URL is not given")
	case len(o.Pids) > 0 && o.ServerURL == "":
		return errors.New("process ids of a server, but its URL is not given")
	}
	return nil
}

// ownHeaders are those that are not for others to choose: what an answer is
// depends on them.
func ownHeaders() []string {
	return []string{"client-id", "content-length", "content-type", "transfer-encoding"}
}

// headers returns what is sent with every request.
func (o *RunOptions) headers() []string {
	const token = "X-Auth-Token: "
	isToken := func(h string) bool { return load.HeaderName(h) == load.HeaderName(token) }
	if o.Token == "" || slices.ContainsFunc(o.Headers, isToken) {
		return o.Headers
	}
	return append([]string{token + o.Token}, o.Headers...)
}

// all returns all jobs that were asked for.
func (o *RunOptions) all() ([]job, error) {
	var all []job
	for _, name := range o.Scenarios {
		jobs, err := o.jobs(name)
		if err != nil {
			return nil, err
		}
		all = append(all, jobs...)
	}
	return all, nil
}

// ParseHeader returns a header with the usual space.
func ParseHeader(text string) (string, error) {
	name, value, found := strings.Cut(text, ":")
	text = name + ": " + strings.TrimSpace(value)
	if !found || !header.MatchString(text) {
		return "", fmt.Errorf("%.60q is not a header, such as \"Name: value\"", text)
	}
	return text, nil
}
