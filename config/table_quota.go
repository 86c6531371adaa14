package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"zaqar/api/rest"
	"zaqar/messaging"
	"zaqar/quota"
)

func quotaSection() section {
	s := section{
		Name: "quota",
		Help: "What each project may have, and how fast it may go. These keys are new; older servers do not know them. -1 is unlimited. What an administrator grants to a project through the API comes first, then the key project, then the defaults.",
		Options: []Option{
			of("enabled", boolean(), func(s *settings) *bool { return &s.Quotas.Enabled },
				"Enforce the limits, and offer /v2/quotas."),
			of("rate_status", choice("auto", "429", "503"), func(s *settings) *string { return &s.rateStatus },
				"The status of answers to who goes too fast. auto: 429, but 503 to clients whose User-Agent begins with python-requests/, because python-zaqarclient takes 429 for success and would lose messages without noticing. Both come with Retry-After."),
			of("fresh", seconds(time.Second, time.Hour), func(s *settings) *time.Duration { return &s.Quotas.Fresh },
				"For how long a node goes by what it read of a project's quota: within this time a change made through another node is in force here, seconds.").live(),
		},
	}
	for i, l := range messaging.AllLimits() {
		s.Options = append(s.Options, of(string(l), limit(l), func(s *settings) *int64 { return &s.limits[i] }, limitHelp(l)).live())
	}
	s.Options = append(s.Options, Option{
		Key: "project", Multi: true, Live: true, Allowed: "the id of a project not named before, and limits: <id> queues=10 messages=1000",
		Help: "Limits of one project that differ from the defaults, as <project id> <limit>=<number> …. May be repeated, or have several lines. It is for deployments that keep everything in files; what is granted through the API comes first and needs no reload.",
		set:  setProjects,
		show: showProjects,
	})
	return s
}

// limit is a value of the limit.
func limit(l messaging.Limit) kind[int64] {
	k := whole(int64(messaging.Unlimited), messaging.MaxLimit)
	inner := k.parse
	k.parse = func(s string) (int64, error) {
		n, err := inner(s)
		if err == nil && !l.Valid(n) {
			err = errBad
		}
		return n, err
	}
	k.allowed = fmt.Sprintf("-1 or a whole number from %d to %d", l.Least(), int64(messaging.MaxLimit))
	return k
}

func limitHelp(l messaging.Limit) string {
	switch l {
	case messaging.LimitRequests:
		return "Requests a second, on each node. What is more is answered 429 or 503 with Retry-After, see rate_status."
	case messaging.LimitRequestBurst:
		return "Requests at once, after a pause. -1: as many as requests_per_second."
	case messaging.LimitByteRate:
		return "Bytes of bodies a second, received and sent together, on each node. They are charged once they were read or sent: the request that uses them up is served, those after it are refused until they are paid off."
	case messaging.LimitByteBurst:
		return "Bytes at once, after a pause. -1: as many as bytes_per_second."
	case messaging.LimitConnections:
		return "Connections at a time, on each node. A connection counts for the project of its latest request; one too many is answered like too many requests, and closed."
	case messaging.LimitWaiting:
		return "Requests with wait=<seconds> that wait for messages at a time, on each node. One too many is answered like too many requests."
	case messaging.LimitQueues:
		return "Queues. Beyond this limit and those below the answer is 403."
	case messaging.LimitTopics:
		return "Topics."
	case messaging.LimitMessages:
		return "Messages stored in all queues and topics, claimed and delayed ones included. A post that would pass this limit or the next stores nothing."
	case messaging.LimitMessageBytes:
		return "Bytes of the bodies of stored messages, after encryption."
	}
	return "Subscriptions to all queues and topics."
}

// setProjects reads one or more lines for setProjectLimits.
func setProjects(s *settings, text string) error {
	for line := range strings.Lines(text) {
		if err := setProjectLimits(s, line); err != nil {
			return err
		}
	}
	return nil
}

// showProjects is the inverse of setProjects.
func showProjects(s *settings) string {
	var lines []string
	for _, p := range slices.Sorted(maps.Keys(s.Quotas.Projects)) {
		line := string(p)
		for _, l := range messaging.AllLimits() {
			if n, ok := s.Quotas.Projects[p][l]; ok {
				line += fmt.Sprintf(" %s=%d", l, n)
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// setProjectLimits reads "<project id> <limit>=<number> …".
func setProjectLimits(s *settings, text string) error {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return errBad
	}
	p := messaging.Project(fields[0])
	if _, twice := s.Quotas.Projects[p]; twice {
		return errBad
	}
	l := messaging.Limits{}
	for _, f := range fields[1:] {
		name, value, _ := strings.Cut(f, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		if _, twice := l[messaging.Limit(name)]; twice || err != nil {
			return errBad
		}
		l[messaging.Limit(name)] = n
	}
	if err := quota.Check(l); err != nil {
		return err
	}
	if s.Quotas.Projects == nil {
		s.Quotas.Projects = map[messaging.Project]messaging.Limits{}
	}
	s.Quotas.Projects[p] = l
	return nil
}

// quotas takes the limits over.
func (c *rules) quotas() {
	for i, l := range messaging.AllLimits() {
		if n := c.settings.limits[i]; n != messaging.Unlimited {
			if c.Quotas.Defaults == nil {
				c.Quotas.Defaults = messaging.Limits{}
			}
			c.Quotas.Defaults[l] = n
		}
	}
	c.REST.RateStatus = map[string]rest.RateStatus{"429": rest.TooMany, "503": rest.Unavailable}[c.rateStatus]
	if !c.Quotas.Enabled && len(c.Quotas.Defaults)+len(c.Quotas.Projects) > 0 {
		c.warn("quota", "enabled", "the limits have no effect without enabled = True")
	}
}
