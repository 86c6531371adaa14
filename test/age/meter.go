package age

import (
	"encoding/json"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// meter collects how long calls took.
type meter struct {
	mu   sync.Mutex
	took []time.Duration
	ends []time.Time
}

// time runs a call and notes how long it took.
func (m *meter) time(call func() error) error {
	start := time.Now()
	err := call()
	end := time.Now()
	m.mu.Lock()
	m.took, m.ends = append(m.took, end.Sub(start)), append(m.ends, end)
	m.mu.Unlock()
	return err
}

// longest returns how long the longest call took that went on between two
// instants, in ms.
func (m *meter) longest(from, to time.Time) float64 {
	var most time.Duration
	for i, end := range m.ends {
		if end.After(from) && end.Add(-m.took[i]).Before(to) {
			most = max(most, m.took[i])
		}
	}
	return milliseconds(most)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[len(of)/2]
}

// flush returns what was collected since the last time, ascending.
func (m *meter) flush() []time.Duration {
	m.mu.Lock()
	out := m.took
	m.took, m.ends = make([]time.Duration, 0, cap(out)), m.ends[:0]
	m.mu.Unlock()
	slices.Sort(out)
	return out
}

// quantile returns the q-th part of sorted durations in microseconds.
func quantile(sorted []time.Duration, q float64) int64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Microseconds()
}

// report appends a line of JSON to the file that the environment names.
func report(t testing.TB, line any) {
	t.Helper()
	b, err := json.Marshal(line)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", b)
	name := os.Getenv("ZAQAR_AGE_OUT")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.Write(append(b, '\n'))
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// long reports whether the long form is asked for.
func long() bool {
	form := os.Getenv("ZAQAR_AGE")
	if form != "" && form != "long" {
		panic("ZAQAR_AGE=" + form + ": only long is known")
	}
	return form == "long"
}

// sized returns the size for the form asked for.
func sized[T any](short, whole T) T {
	if long() {
		return whole
	}
	return short
}
