package wire

import (
	"strconv"
	"time"

	"zaqar/broker"
	"zaqar/messaging/delivery"
)

// Replay reads {"what": "failed"|"all", "since": "…"}. since is an instant as in
// RFC 3339 and may be absent or null.
func (r *Reader) Replay(raw []byte) (in delivery.Replay, err error) {
	if err := r.open(raw); err != nil {
		return in, err
	}
	err = r.object(func(name []byte) error {
		switch string(name) {
		case "what":
			text, err := r.text()
			in.What = delivery.Again(text)
			return err
		case "since":
			return r.instant(&in.Since)
		}
		return r.skip()
	})
	switch {
	case err != nil:
		return in, err
	case in.What == "":
		return in, r.refuse("what must be failed or all.")
	}
	return in, r.end()
}

// instant reads an instant, or null, which leaves the zero one.
func (r *Reader) instant(at *time.Time) error {
	*at = time.Time{}
	if r.peek() == 'n' {
		return r.skip()
	}
	text, err := r.text()
	if err != nil {
		return err
	}
	if *at, err = time.Parse(time.RFC3339, text); err != nil {
		return r.wrong("must be an instant such as 2031-05-04T10:00:00Z")
	}
	return nil
}

// AppendReplayed appends the answer to a replay.
func AppendReplayed(dst []byte, n int) []byte {
	dst = append(dst, `{"replayed":`...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, '}')
}

// AppendDeliveries appends how it goes with the deliveries of a subscription:
// the last attempts with the newest first.
func AppendDeliveries(dst []byte, d *broker.Deliveries) []byte {
	state := "enabled"
	switch {
	case !d.Disabled.IsZero():
		state = "disabled"
	case !d.Failing.IsZero():
		state = "failing"
	}
	dst = append(dst, `{"state":"`...)
	dst = append(dst, state...)
	dst = append(dst, `","failing_since":`...)
	dst = appendInstant(dst, d.Failing)
	dst = append(dst, `,"disabled_since":`...)
	dst = appendInstant(dst, d.Disabled)
	dst = append(dst, `,"disabled_reason":`...)
	dst = appendOptional(dst, d.Reason)
	dst = append(dst, `,"delivered":`...)
	dst = strconv.AppendInt(dst, d.Delivered, 10)
	dst = append(dst, `,"failed":`...)
	dst = strconv.AppendInt(dst, d.GivenUp, 10)
	dst = append(dst, `,"pending":`...)
	dst = strconv.AppendInt(dst, int64(d.Pending), 10)
	dst = append(dst, `,"failed_pending":`...)
	dst = strconv.AppendInt(dst, int64(d.Failed), 10)
	dst = append(dst, `,"attempts":[`...)
	for i := range d.Log {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendAttempt(dst, &d.Log[len(d.Log)-1-i])
	}
	return append(dst, "]}"...)
}

func appendAttempt(dst []byte, a *delivery.Attempt) []byte {
	dst = append(dst, `{"at":`...)
	dst = appendInstant(dst, a.At)
	dst = append(dst, `,"kind":`...)
	dst = appendString(dst, string(a.Kind))
	dst = append(dst, `,"message_id":`...)
	dst = appendString(dst, string(a.Message))
	dst = append(dst, `,"attempt":`...)
	dst = strconv.AppendInt(dst, int64(a.Number), 10)
	dst = append(dst, `,"status":`...)
	if a.Status == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendInt(dst, int64(a.Status), 10)
	}
	dst = append(dst, `,"latency_ms":`...)
	dst = strconv.AppendInt(dst, a.Took.Milliseconds(), 10)
	dst = append(dst, `,"error":`...)
	dst = appendOptional(dst, a.Error)
	dst = append(dst, `,"outcome":`...)
	dst = appendString(dst, string(a.Outcome))
	return append(dst, '}')
}

// AppendSecrets appends the keys of a subscription.
func AppendSecrets(dst []byte, secrets delivery.Secrets) []byte {
	dst = append(dst, `{"keys":[`...)
	for i, s := range secrets {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"key":`...)
		dst = appendString(dst, s.Text())
		dst = append(dst, `,"created":`...)
		dst = appendInstant(dst, s.Created)
		dst = append(dst, `,"expires":`...)
		dst = appendInstant(dst, s.Expires)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}

// appendInstant appends an instant to the millisecond, null for the zero one.
func appendInstant(dst []byte, at time.Time) []byte {
	if at.IsZero() {
		return append(dst, "null"...)
	}
	return at.UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
}

// appendOptional appends a string, null for the empty one.
func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendString(dst, s)
}
