package delivery

import (
	"fmt"
	"math"
	"time"

	"zaqar/messaging"
)

// Backoff is how the delays between attempts grow from the shortest to the
// longest.
type Backoff string

// The backoff functions. By their results geometric and exponential are one.
const (
	Linear      Backoff = "linear"
	Arithmetic  Backoff = "arithmetic"
	Geometric   Backoff = "geometric"
	Exponential Backoff = "exponential"
)

// RetryPolicy says when a delivery that failed is attempted again. Delays are
// seconds. Counts and delays are those the client gave, however large: Wait
// bounds them.
type RetryPolicy struct {
	NoDelayRetries  int64 // first, without a delay
	MinDelayRetries int64 // then, each after MinDelay
	MinDelay        int64
	MaxDelay        int64
	MaxDelayRetries int64 // last, each after MaxDelay
	Backoff         Backoff
	// IgnoreOverride gives the policy of the queue precedence over that of the
	// subscription. It has that effect in either of them.
	IgnoreOverride bool
}

// DefaultRetryPolicy is what holds where nothing else was said.
func DefaultRetryPolicy() RetryPolicy {
	return RetryPolicy{
		NoDelayRetries:  3,
		MinDelayRetries: 3,
		MinDelay:        5,
		MaxDelay:        30,
		MaxDelayRetries: 3,
		Backoff:         Linear,
	}
}

// The members of a retry policy (http-v2 §10.2).
const (
	keyNoDelayRetries  = "retries_with_no_delay"
	keyMinDelayRetries = "minimum_delay_retries"
	keyMinDelay        = "minimum_delay"
	keyMaxDelay        = "maximum_delay"
	keyMaxDelayRetries = "maximum_delay_retries"
	keyBackoff         = "retry_backoff_function"
	keyIgnoreOverride  = "ignore_subscription_override"

	minDelaySpread = 10
)

// ParseRetryPolicy reads the JSON text of a _retry_policy, of a queue's metadata
// or a subscription's options. nil means none: a false-like text.
//
// The error is Invalid and names the first member that breaks a rule
// (notifications §7.5). The policy holds all the others all the same, with
// defaults for those that do not fit.
func ParseRetryPolicy(value []byte) (*RetryPolicy, error) {
	if messaging.FalseLike(value) {
		return nil, nil
	}
	members, err := messaging.DecodeMetadata(value)
	if err != nil {
		return nil, invalid("%s must be an object, not %s.", messaging.KeyRetryPolicy, messaging.Given(value))
	}
	p := DefaultRetryPolicy()
	var first error
	for _, m := range members.Members() {
		if string(m.Value) == "null" {
			continue
		}
		if err := p.set(m); err != nil && first == nil {
			first = err
		}
	}
	if p.MaxDelay-p.MinDelay < minDelaySpread && first == nil { // neither is negative: no overflow
		first = invalid("%s must leave %d seconds or more between %s (%d) and %s (%d).",
			messaging.KeyRetryPolicy, minDelaySpread, keyMinDelay, p.MinDelay, keyMaxDelay, p.MaxDelay)
	}
	return &p, first
}

// QueuePolicy returns the retry policy in the metadata of a queue or topic, nil
// if it has none.
func QueuePolicy(m *messaging.Metadata) *RetryPolicy {
	for _, member := range m.Members() {
		if member.Name == messaging.KeyRetryPolicy {
			p, _ := ParseRetryPolicy(member.Value)
			return p
		}
	}
	return nil
}

func (p *RetryPolicy) set(m messaging.Member) error {
	switch m.Name {
	case keyNoDelayRetries:
		return setCount(&p.NoDelayRetries, m)
	case keyMinDelayRetries:
		return setCount(&p.MinDelayRetries, m)
	case keyMinDelay:
		return setCount(&p.MinDelay, m)
	case keyMaxDelay:
		return setCount(&p.MaxDelay, m)
	case keyMaxDelayRetries:
		return setCount(&p.MaxDelayRetries, m)
	case keyBackoff:
		return p.setBackoff(m)
	case keyIgnoreOverride:
		p.IgnoreOverride = string(m.Value) == "true"
		if !p.IgnoreOverride && !messaging.FalseLike(m.Value) {
			return refused(m, "true or false")
		}
	}
	return nil
}

func setCount(to *int64, m messaging.Member) error {
	n, ok := messaging.Integer(m.Value)
	if !ok || n < 0 {
		return refused(m, "an integer not below 0")
	}
	*to = n
	return nil
}

func (p *RetryPolicy) setBackoff(m messaging.Member) error {
	if messaging.FalseLike(m.Value) {
		return nil
	}
	name, _ := messaging.Text(m.Value)
	switch b := Backoff(name); b {
	case Linear, Arithmetic, Geometric, Exponential:
		p.Backoff = b
		return nil
	}
	return refused(m, "linear, arithmetic, geometric or exponential")
}

func refused(m messaging.Member, must string) error {
	return invalid("%s.%s must be %s, not %s.", messaging.KeyRetryPolicy, m.Name, must, messaging.Given(m.Value))
}

func invalid(format string, args ...any) error {
	return messaging.E(messaging.Invalid, fmt.Sprintf(format, args...))
}

// ChooseRetryPolicy returns the policy in force for a subscription with the
// policy ofSubscription to a queue with ofQueue, nil being none (notifications
// §7.2). The two are never mixed.
func ChooseRetryPolicy(ofSubscription, ofQueue *RetryPolicy) RetryPolicy {
	chosen := ofSubscription
	if chosen == nil || chosen.IgnoreOverride || ofQueue != nil && ofQueue.IgnoreOverride {
		chosen = ofQueue
	}
	if chosen == nil {
		return DefaultRetryPolicy()
	}
	return *chosen
}

// Bounds of every plan, whatever a policy says.
const (
	// MaxAttempts is how often a delivery is attempted at most.
	MaxAttempts = 1000
	// MaxHastyRetries is how many retries of one phase may come without a wait.
	MaxHastyRetries = 100
	// MaxWait is the longest wait between two attempts.
	MaxWait = 30 * 24 * time.Hour

	backoffStep = 5       // seconds
	maxDelay    = 1 << 52 // seconds; larger ones count as this
)

// Wait returns how long to wait before the attempt, when all before it have
// failed; attempts count from 1. false means to give up instead. It takes the
// same short time for any policy and attempt.
func (p RetryPolicy) Wait(attempt int) (time.Duration, bool) {
	if attempt > MaxAttempts {
		return 0, false
	}
	retry := int64(attempt) - 1 // from 1 on
	early := bounded(p.NoDelayRetries, 0)
	steps := early + bounded(p.MinDelayRetries, p.MinDelay)
	late := steps + p.steps()
	end := late + bounded(p.MaxDelayRetries, p.MaxDelay)
	switch {
	case retry <= early:
		return 0, true
	case retry <= steps:
		return seconds(p.MinDelay), true
	case retry <= late:
		return seconds(p.step(retry - steps)), true
	case retry <= end:
		return seconds(p.MaxDelay), true
	}
	return 0, false
}

// bounded is how many retries with the delay there are of the count asked for.
func bounded(count, delay int64) int64 {
	if delay <= 0 {
		return min(max(count, 0), MaxHastyRetries)
	}
	return min(max(count, 0), MaxAttempts)
}

// steps is the number of retries whose delays grow.
func (p RetryPolicy) steps() int64 {
	a, b := p.ends()
	if p.Backoff == Linear {
		return (b - a + backoffStep - 1) / backoffStep
	}
	return (b - a) / backoffStep
}

// step is the delay before retry i of those, from 1 to their number
// (notifications §7.4).
func (p RetryPolicy) step(i int64) int64 {
	low, high := p.ends()
	if p.Backoff == Linear {
		return low + (i-1)*backoffStep
	}
	n, a, b := float64(p.steps()), float64(low), float64(high)
	if n <= 1 {
		return low
	}
	at := float64(i)
	var delay float64
	if p.Backoff == Arithmetic {
		delay = a + (b-a)*at*(at-1)/(n*(n-1))
	} else {
		delay = a * math.Pow(b/a, (at-1)/(n-1))
	}
	const noise = 1e-9 // what should be whole does not become one less
	return int64(min(math.Floor(delay*(1+noise)), b))
}

// ends are the delays between which the steps lie. Only linear steps may start
// at 0.
func (p RetryPolicy) ends() (low, high int64) {
	low, high = min(max(p.MinDelay, 0), maxDelay), min(max(p.MaxDelay, 0), maxDelay)
	if p.Backoff != Linear {
		low = max(low, 1)
	}
	return low, max(low, high)
}

func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(MaxWait/time.Second))) * time.Second
}
