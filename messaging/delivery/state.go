package delivery

import (
	"bytes"
	"encoding/json"
	"time"

	"zaqar/messaging"
)

// LogSize is how many of its last attempts a subscription remembers.
const LogSize = 20

// State is what is remembered about the deliveries of a subscription, in
// Subscription.State. The zero value is that of one nothing happened to.
type State struct {
	Socket   bool      // the subscriber is a WebSocket: nobody has to confirm
	Failing  time.Time // since when attempts have done nothing but fail; zero: they have not
	Disabled time.Time // since when nothing is delivered; zero: it is
	Reason   string    // why it is disabled
	Resumed  time.Time // when it was last enabled: failures before count no more
	// How many attempts were made, and how many deliveries ended either way,
	// since the subscription was created.
	Attempts, Delivered, GivenUp int64
	Log                          []Attempt // the last ones, oldest first; LogSize at most
}

// Outcome is what became of a delivery by an attempt.
type Outcome string

// The outcomes.
const (
	Delivered Outcome = "delivered"
	Retried   Outcome = "retried"  // it failed and is made again
	GivenUp   Outcome = "given_up" // it failed and was the last
)

// Attempt is an attempt to deliver that was made, as a subscription remembers
// it. Instants are kept to the millisecond.
type Attempt struct {
	At      time.Time
	Took    time.Duration
	Kind    Kind
	Message messaging.MessageID
	Number  int // 1 is the first
	Outcome Outcome
	Status  int    // HTTP status; 0 where there is none
	Error   string // what went wrong, for the owner of the subscription
}

// Note counts an attempt, and keeps it in the log.
func (s *State) Note(a Attempt) {
	s.Attempts++
	switch a.Outcome {
	case Delivered:
		s.Delivered++
		s.Failing = time.Time{}
	case GivenUp:
		s.GivenUp++
		fallthrough
	default:
		if s.Failing.IsZero() {
			s.Failing = a.At
		}
	}
	s.Log = append(s.Log, a)
	if n := len(s.Log) - LogSize; n > 0 {
		s.Log = append([]Attempt(nil), s.Log[n:]...)
	}
}

// longestTook is more than any attempt takes, in milliseconds.
const longestTook = 1 << 40

// Resume forgets that nothing but failures happened. What did before now and is
// merged later does not bring that back.
func (s *State) Resume(now time.Time) {
	s.Disabled, s.Reason, s.Failing = time.Time{}, "", time.Time{}
	s.Resumed = now.Add(time.Millisecond).Truncate(time.Millisecond) // so it is stored
}

// Merge adds what happened later.
func (s *State) Merge(later *State) {
	s.Attempts += later.Attempts
	s.Delivered += later.Delivered
	s.GivenUp += later.GivenUp
	if later.Delivered > 0 || s.Failing.IsZero() {
		s.Failing = later.Failing
		if s.Failing.Before(s.Resumed) {
			s.Failing = time.Time{}
		}
	}
	s.Log = append(s.Log[:len(s.Log):len(s.Log)], later.Log...)
	if n := len(s.Log) - LogSize; n > 0 {
		s.Log = s.Log[n:]
	}
}

// IsDisabled reports whether the State in the text is that of a disabled
// subscription, without reading all of it.
func IsDisabled(raw []byte) bool {
	return bytes.HasPrefix(raw, []byte(`{"d":`)) ||
		bytes.HasPrefix(raw, []byte(socketText+`,"d":`))
}

// IsSocket reports whether the State in the text is that of a subscription of a
// WebSocket.
func IsSocket(raw []byte) bool { return bytes.HasPrefix(raw, []byte(socketText)) }

const socketText = `{"w":true`

// stateText is a State as JSON: short names, instants in milliseconds. What IsDisabled
// and IsSocket ask for comes first.
type stateText struct {
	Socket    bool          `json:"w,omitempty"`
	Disabled  int64         `json:"d,omitempty"`
	Failing   int64         `json:"f,omitempty"`
	Reason    string        `json:"r,omitempty"`
	Resumed   int64         `json:"u,omitempty"`
	Attempts  int64         `json:"a,omitempty"`
	Delivered int64         `json:"ok,omitempty"`
	GivenUp   int64         `json:"no,omitempty"`
	Log       []attemptText `json:"l,omitempty"`
}

type attemptText struct {
	At      int64               `json:"t"`
	Took    int64               `json:"ms,omitempty"`
	Kind    Kind                `json:"k,omitempty"` // none: Notification
	Message messaging.MessageID `json:"m,omitempty"`
	Number  int                 `json:"n,omitempty"` // none: 1
	Outcome Outcome             `json:"o,omitempty"` // none: Delivered
	Status  int                 `json:"s,omitempty"`
	Error   string              `json:"e,omitempty"`
}

// Append appends the text that ReadState reads.
func (s *State) Append(dst []byte) []byte {
	t := stateText{Socket: s.Socket, Failing: unixMilli(s.Failing), Disabled: unixMilli(s.Disabled), Reason: s.Reason, Resumed: unixMilli(s.Resumed),
		Attempts: s.Attempts, Delivered: s.Delivered, GivenUp: s.GivenUp}
	for _, a := range s.Log {
		at := attemptText{At: unixMilli(a.At), Took: a.Took.Milliseconds(), Message: a.Message, Status: a.Status, Error: a.Error}
		if a.Kind != Notification {
			at.Kind = a.Kind
		}
		if a.Number != 1 {
			at.Number = a.Number
		}
		if a.Outcome != Delivered {
			at.Outcome = a.Outcome
		}
		t.Log = append(t.Log, at)
	}
	text, err := json.Marshal(t)
	if err != nil {
		panic("delivery: state: " + err.Error())
	}
	return append(dst, text...)
}

// ReadState reads Subscription.State. What cannot be read is as if nothing had
// happened.
func ReadState(raw []byte) State {
	var t stateText
	if len(raw) == 0 || json.Unmarshal(raw, &t) != nil {
		return State{}
	}
	s := State{Socket: t.Socket, Failing: instant(t.Failing), Disabled: instant(t.Disabled), Reason: t.Reason, Resumed: instant(t.Resumed),
		Attempts: t.Attempts, Delivered: t.Delivered, GivenUp: t.GivenUp}
	for _, at := range t.Log {
		a := Attempt{At: instant(at.At), Took: time.Duration(min(max(at.Took, 0), longestTook)) * time.Millisecond, Kind: at.Kind,
			Message: at.Message, Number: at.Number, Outcome: at.Outcome, Status: at.Status, Error: at.Error}
		if a.Kind == "" {
			a.Kind = Notification
		}
		if a.Number == 0 {
			a.Number = 1
		}
		if a.Outcome == "" {
			a.Outcome = Delivered
		}
		s.Log = append(s.Log, a)
	}
	return s
}

// unixMilli writes an instant; 0 is none.
func unixMilli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant reads what unixMilli returned.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
