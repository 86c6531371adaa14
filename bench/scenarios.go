package bench

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"zaqar/bench/load"
)

// job is a scenario that was asked for, with what it needs.
type job struct {
	load.Scenario
	what   string
	queues int
	fill   int // messages that the queue begins with
	// consumed says that the fill is used up: it is made again for each sample,
	// and there is no point in posting for longer than claims will take.
	consumed bool
	drain    bool // at the end one consumer takes what is left
	deep     bool // the same queue is kept for all rounds
}

// kindOfJob is a scenario by name.
type kindOfJob struct {
	name, what string
	each       int // messages in one request, unless the name or --batch says
	jobs       func(o *RunOptions, name string, n int) []job
}

// kinds are all scenarios.
func kinds() []kindOfJob {
	return []kindOfJob{
		{"post", "posts of N messages", 1, func(_ *RunOptions, name string, n int) []job {
			return []job{{Scenario: load.Scenario{Name: name, Post: n}, what: fmt.Sprintf("post %d", n)}}
		}},
		{"list", "lists of N messages, page by page through a queue", 10, func(o *RunOptions, name string, n int) []job {
			return []job{{Scenario: load.Scenario{Name: name, List: n}, what: fmt.Sprintf("list %d", n), fill: o.filled(listFill)}}
		}},
		{"claim", "claims of N messages, each deleted by a request of its own", 10, func(o *RunOptions, name string, n int) []job {
			return []job{{Scenario: load.Scenario{Name: name, Claim: n}, what: fmt.Sprintf("claim %d + %[1]d deletes", n),
				fill: o.filled(o.seconds() * claimsEach), consumed: true}}
		}},
		{"claim-bulk", "claims of N messages, deleted by one request", 10, func(o *RunOptions, name string, n int) []job {
			return []job{{Scenario: load.Scenario{Name: name, Claim: n, Bulk: true}, what: fmt.Sprintf("claim %d + bulk delete", n),
				fill: o.filled(o.seconds() * claimsBulk), consumed: true}}
		}},
		{"cycle", "post N, claim N, delete each, over and over", 1, func(o *RunOptions, name string, n int) []job {
			return []job{{Scenario: load.Scenario{Name: name, Post: n, Claim: n}, what: fmt.Sprintf("post %d + claim %[1]d + deletes", n),
				fill: o.filled(0), drain: true}}
		}},
		{"mixed", "10 posts of N messages, 2 lists and a claim of 10, one bulk delete, in turns", 1, mixed},
		{"backlog", "post N, claim N, bulk delete, on a queue that holds --depth messages", 10, backlogs},
		{"many-queues", "cycle over --queues queues, each connection from another one on", 1, func(o *RunOptions, name string, n int) []job {
			return []job{{Scenario: load.Scenario{Name: name, Post: n, Claim: n}, queues: o.Queues, drain: true,
				what: fmt.Sprintf("post %d + claim %[1]d + deletes on %s %s", n, size(o.Queues), plural("queue", o.Queues))}}
		}},
		{"fan-in", "all connections post N messages; one waits for them, claims and deletes them", 1, func(o *RunOptions, name string, n int) []job {
			return []job{{Scenario: load.Scenario{Name: name, Post: n, Consumers: 1, Receive: maxReceive, Bulk: true}, drain: true,
				what: fmt.Sprintf("post %d, 1 waiting consumer", n)}}
		}},
		{"fan-out", "one connection posts N messages; all others wait for them, and each lists them all", 1, func(o *RunOptions, name string, n int) []job {
			return []job{{Scenario: load.Scenario{Name: name, Post: n, Readers: o.Connections, Receive: maxReceive},
				what: fmt.Sprintf("post %d, %d waiting %s", n, o.Connections, plural("reader", o.Connections))}}
		}},
	}
}

const (
	// maxReceive is the most that servers hand out with one request by default.
	maxReceive = 20
	listFill   = 10_000
	// claimsEach and claimsBulk are more messages than most servers can hand out
	// in a second, deleted one by one and at once.
	claimsEach, claimsBulk = 35_000, 75_000
)

func plural(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// seconds is how long a sample takes, rounded up.
func (o *RunOptions) seconds() int { return int(math.Ceil((o.Warmup + o.Duration).Seconds())) }

// filled returns how many messages to begin with.
func (o *RunOptions) filled(usual int) int {
	if o.Fill >= 0 {
		return o.Fill
	}
	return usual
}

func mixed(o *RunOptions, name string, n int) []job {
	claim := min(10*n, maxReceive)
	return []job{{
		Scenario: load.Scenario{Name: name, Post: n, Posts: 10, List: 10, Lists: 2, Claim: claim, Bulk: true},
		what:     fmt.Sprintf("10 posts of %d, 2 lists of 10, claim %d + bulk delete", n, claim),
		fill:     o.filled(1000), drain: true,
	}}
}

func backlogs(o *RunOptions, name string, n int) []job {
	var jobs []job
	for _, depth := range o.Depths {
		jobs = append(jobs, job{
			Scenario: load.Scenario{Name: name + "-" + size(depth), Post: n, Claim: n, Bulk: true},
			what:     fmt.Sprintf("post %d + claim %[1]d + bulk delete, backlog of %s", n, size(depth)),
			fill:     depth, deep: true,
		})
	}
	return jobs
}

// ScenarioList names the scenarios and says what each is, a line each.
func ScenarioList() string {
	var s strings.Builder
	for _, k := range kinds() {
		fmt.Fprintf(&s, "  %-13s%s", k.name, k.what)
		if strings.Contains(k.what, "N ") || strings.Contains(k.what, "N,") {
			fmt.Fprintf(&s, " (N is %d)", k.each)
		}
		s.WriteByte('\n')
	}
	return s.String()
}

var numbered = regexp.MustCompile(`^(.*?)-([1-9][0-9]{0,4})(-bulk)?$`)

// jobs returns what a name stands for: that of a scenario, perhaps with a
// number for N, as in post-10 and claim-10-bulk.
func (o *RunOptions) jobs(name string) ([]job, error) {
	base, n := name, o.Batch
	if m := numbered.FindStringSubmatch(name); m != nil {
		base = m[1] + m[3]
		n, _ = strconv.Atoi(m[2]) // the pattern lets only numbers pass
	}
	for _, k := range kinds() {
		if k.name != base {
			continue
		}
		if n == 0 {
			n = k.each
		}
		return k.jobs(o, name, n), nil
	}
	return nil, fmt.Errorf("unknown scenario %q; there are:\n%s", name, ScenarioList())
}
