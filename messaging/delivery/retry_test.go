package delivery_test

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// waits returns the waits of the whole plan, in seconds.
func waits(t *testing.T, p delivery.RetryPolicy) []int64 {
	t.Helper()
	all := []int64{}
	for attempt := 2; ; attempt++ {
		wait, ok := p.Wait(attempt)
		if !ok {
			return all
		}
		if wait%time.Second != 0 || wait < 0 || wait > delivery.MaxWait {
			t.Fatalf("%+v: a wait of %v before attempt %d", p, wait, attempt)
		}
		all = append(all, int64(wait/time.Second))
	}
}

func TestDefaultPlan(t *testing.T) {
	p := delivery.DefaultRetryPolicy()
	got := waits(t, p)
	if d := cmp.Diff([]int64{0, 0, 0, 5, 5, 5, 5, 10, 15, 20, 25, 30, 30, 30}, got); d != "" {
		t.Errorf("waits (-want +got):\n%s", d)
	}
	if wait, ok := p.Wait(1); wait != 0 || !ok {
		t.Errorf("the first attempt: %v, %v", wait, ok)
	}
}

// The vectors of notifications §7.4. Geometric delays may be off by one: where
// the original truncates 29.999…, we have 30.
func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		low, high                     int64
		linear, geometric, arithmetic string
	}{
		{5, 30, "5 10 15 20 25", "5 7 12 19 30", "5 7 12 20 30"},
		{10, 60, "10 15 20 25 30 35 40 45 50 55", "10 12 14 18 22 27 33 40 49 60", "10 11 13 16 21 26 33 41 50 60"},
		{20, 80, "20 25 30 35 40 45 50 55 60 65 70 75", "20 22 25 29 33 37 42 48 54 62 70 80", "20 20 22 25 29 33 39 45 52 60 70 80"},
		{30, 100, "30 35 40 45 50 55 60 65 70 75 80 85 90 95", "30 32 36 39 43 47 52 57 62 69 75 83 91 99", "30 30 32 34 37 41 46 51 57 64 72 80 90 100"},
		{1, 11, "1 6", "1 10", "1 11"},
		{0, 12, "0 5 10", "1 12", "1 12"}, // from 1 on unless linear
		{5, 15, "5 10", "5 15", "5 15"},
	} {
		for backoff, want := range map[delivery.Backoff]string{
			delivery.Linear: tt.linear, delivery.Arithmetic: tt.arithmetic, delivery.Geometric: tt.geometric, delivery.Exponential: tt.geometric,
		} {
			got := waits(t, delivery.RetryPolicy{MinDelay: tt.low, MaxDelay: tt.high, Backoff: backoff})
			if !near(got, numbers(t, want), backoff) {
				t.Errorf("%s from %d to %d: %v, want %s", backoff, tt.low, tt.high, got, want)
			}
		}
	}
}

func numbers(t *testing.T, text string) (list []int64) {
	t.Helper()
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

func near(got, want []int64, b delivery.Backoff) bool {
	off := int64(0)
	if b == delivery.Geometric || b == delivery.Exponential {
		off = 1
	}
	return slices.EqualFunc(got, want, func(a, b int64) bool { return a-b <= off && b-a <= off })
}

func TestPhases(t *testing.T) {
	for _, tt := range []struct {
		policy string
		want   string
	}{
		{`{"retries_with_no_delay":0}`, "5 5 5 5 10 15 20 25 30 30 30"},
		{`{"minimum_delay_retries":0}`, "0 0 0 5 10 15 20 25 30 30 30"},
		{`{"maximum_delay_retries":0}`, "0 0 0 5 5 5 5 10 15 20 25"},
		{`{"retries_with_no_delay":1,"minimum_delay_retries":1,"maximum_delay_retries":1,"minimum_delay":1,"maximum_delay":11}`, "0 1 1 6 11"},
		{`{"retries_with_no_delay":null,"minimum_delay_retries":0,"maximum_delay_retries":0,"minimum_delay":null}`, "0 0 0 5 10 15 20 25"},
		{`{"retries_with_no_delay":0,"minimum_delay_retries":0,"maximum_delay_retries":0,"minimum_delay":0,"maximum_delay":10}`, "0 5"},
	} {
		p, err := delivery.ParseRetryPolicy([]byte(tt.policy))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(numbers(t, tt.want), waits(t, *p)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.policy, d)
		}
	}
}

// Numbers that are meant to hurt make plans that end, and wait between most
// attempts.
func TestHostilePlansAreBounded(t *testing.T) {
	huge := []int64{math.MinInt64, -1, 0, 1, 1e18, math.MaxInt64}
	for _, count := range huge {
		for _, low := range huge {
			for _, high := range huge {
				for _, b := range []delivery.Backoff{delivery.Linear, delivery.Arithmetic, delivery.Geometric, ""} {
					p := delivery.RetryPolicy{NoDelayRetries: count, MinDelayRetries: count, MaxDelayRetries: count, MinDelay: low, MaxDelay: high, Backoff: b}
					all := waits(t, p)
					hasty := 0
					for _, wait := range all {
						if wait == 0 {
							hasty++
						}
					}
					if len(all) >= delivery.MaxAttempts || hasty > 3*delivery.MaxHastyRetries {
						t.Errorf("%+v: %d retries, %d without a wait", p, len(all), hasty)
					}
					if low > 0 && high >= low && !slices.IsSorted(all) {
						t.Errorf("%+v: the waits shrink: %v", p, all)
					}
				}
			}
		}
	}
	p := delivery.RetryPolicy{MinDelay: 1, MaxDelay: 1e18, MaxDelayRetries: math.MaxInt64, Backoff: delivery.Geometric}
	if n := testing.AllocsPerRun(100, func() { p.Wait(999) }); n != 0 {
		t.Errorf("%v allocations for a wait", n)
	}
}

// The rows of notifications §7.5. bad names the member that is to blame.
func TestParseRetryPolicy(t *testing.T) {
	for _, tt := range []struct{ in, bad string }{
		{``, ""},
		{`null`, ""},
		{`{}`, ""},
		{`[]`, ""},
		{`0`, ""},
		{`""`, ""},
		{`{"other":[]}`, ""},
		{`{"minimum_delay":10,"maximum_delay":20}`, ""},
		{`{"minimum_delay":null,"maximum_delay":null}`, ""},
		{`{"maximum_delay":15}`, ""},
		{`{"minimum_delay":20}`, ""},
		{`{"minimum_delay":0,"maximum_delay":9223372036854775807}`, ""},
		{`{"retry_backoff_function":"geometric","ignore_subscription_override":true}`, ""},
		{`{"retry_backoff_function":"","ignore_subscription_override":0}`, ""},
		{`"x"`, "_retry_policy must"},
		{`1`, "_retry_policy must"},
		{`[1]`, "_retry_policy must"},
		{`true`, "_retry_policy must"},
		{`{"minimum_delay":"x"}`, "_retry_policy.minimum_delay"},
		{`{"minimum_delay":""}`, "_retry_policy.minimum_delay"},
		{`{"maximum_delay":true}`, "_retry_policy.maximum_delay"},
		{`{"maximum_delay":30.0}`, "_retry_policy.maximum_delay"},
		{`{"retries_with_no_delay":-1}`, "_retry_policy.retries_with_no_delay"},
		{`{"minimum_delay_retries":false}`, "_retry_policy.minimum_delay_retries"},
		{`{"maximum_delay_retries":99999999999999999999}`, "_retry_policy.maximum_delay_retries"},
		{`{"retry_backoff_function":"foo"}`, "_retry_policy.retry_backoff_function"},
		{`{"retry_backoff_function":7}`, "_retry_policy.retry_backoff_function"},
		{`{"ignore_subscription_override":"x"}`, "_retry_policy.ignore_subscription_override"},
		{`{"ignore_subscription_override":1}`, "_retry_policy.ignore_subscription_override"},
		{`{"minimum_delay":10,"maximum_delay":5}`, "10 seconds"},
		{`{"minimum_delay":10,"maximum_delay":19}`, "10 seconds"},
		{`{"maximum_delay":14}`, "10 seconds"},
		{`{"minimum_delay":40}`, "10 seconds"},
	} {
		p, err := delivery.ParseRetryPolicy([]byte(tt.in))
		switch {
		case tt.bad == "" && err != nil:
			t.Errorf("%s: %v", tt.in, err)
		case tt.bad != "" && (!errors.Is(err, messaging.Invalid) || !strings.Contains(err.Error(), tt.bad)):
			t.Errorf("%s: %v, want Invalid about %s", tt.in, err, tt.bad)
		case (p == nil) != (messaging.FalseLike([]byte(tt.in)) || strings.HasPrefix(tt.bad, "_retry_policy must")):
			t.Errorf("%s: %+v", tt.in, p)
		}
	}
}

// A stored policy counts as far as it makes sense.
func TestRetryPolicyKeepsWhatFits(t *testing.T) {
	p, err := delivery.ParseRetryPolicy([]byte(`{"retries_with_no_delay":7,"minimum_delay":"x","maximum_delay_retries":-4,
		"retry_backoff_function":"cubic","ignore_subscription_override":true}`))
	if err == nil {
		t.Error("no error")
	}
	want := delivery.DefaultRetryPolicy()
	want.NoDelayRetries, want.IgnoreOverride = 7, true
	if d := cmp.Diff(&want, p); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestChooseRetryPolicy(t *testing.T) {
	parse := func(text string) *delivery.RetryPolicy {
		p, err := delivery.ParseRetryPolicy([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, tt := range []struct{ name, sub, queue, want string }{
		{"neither", `{}`, `null`, ``},
		{"the queue's alone", `{}`, `{"minimum_delay":7}`, `{"minimum_delay":7}`},
		{"the subscription's wins, unmixed", `{"maximum_delay":40}`, `{"minimum_delay":7}`, `{"maximum_delay":40}`},
		{"of unknown members only, it still wins", `{"x":1}`, `{"minimum_delay":7}`, `{"x":1}`},
		{"the queue insists", `{"maximum_delay":40}`, `{"minimum_delay":7,"ignore_subscription_override":true}`, `{"minimum_delay":7,"ignore_subscription_override":true}`},
		{"the subscription stands back", `{"maximum_delay":40,"ignore_subscription_override":true}`, `{"minimum_delay":7}`, `{"minimum_delay":7}`},
		{"it stands back for nothing", `{"maximum_delay":40,"ignore_subscription_override":true}`, `{}`, ``},
	} {
		want := delivery.DefaultRetryPolicy()
		if p := parse(tt.want); p != nil {
			want = *p
		}
		if d := cmp.Diff(want, delivery.ChooseRetryPolicy(parse(tt.sub), parse(tt.queue))); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestQueuePolicy(t *testing.T) {
	for in, want := range map[string]int64{
		`{}`: -1, `{"_retry_policy":{}}`: -1, `{"_retry_policy":"x"}`: -1,
		`{"a":1,"_retry_policy":{"retries_with_no_delay":9}}`: 9,
	} {
		m, err := messaging.DecodeMetadata([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		got := int64(-1)
		if p := delivery.QueuePolicy(m); p != nil {
			got = p.NoDelayRetries
		}
		if got != want {
			t.Errorf("%s: %d, want %d", in, got, want)
		}
	}
	if p := delivery.QueuePolicy(nil); p != nil {
		t.Errorf("no metadata: %+v", p)
	}
}
