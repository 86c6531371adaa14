package delivery

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"zaqar/messaging"
)

// Envelope is one delivery that waits for its next attempt: the body of an
// entry of a backlog.
type Envelope struct {
	Kind     Kind
	Message  messaging.MessageID // or the id of the confirmation
	Index    int                 // its place in the post, from 0; of a confirmation: Subscription.Moves
	TTL      int64               // of the message, seconds
	Delay    int64               // of the message, seconds
	Posted   time.Time           // kept to the millisecond, as First is
	Attempts int                 // made so far
	First    time.Time           // when the first attempt was made, zero if none was
	Note     Note
	Status   int    // HTTP status the last attempt got, 0 if none
	Error    string // what went wrong last; its beginning is kept
	// Body is that of the message, as it was stored: sealed if the entry has a
	// key. For the other kinds it is the document itself. It may hold any bytes.
	Body []byte
}

// MaxErrorSize is how much of an Envelope's Error is kept, in bytes.
const MaxErrorSize = 256

// The layout, in this order, numbers as varints of encoding/binary and texts
// with their length in front of them:
//
//	version (1 byte) | kind (1 byte) | message | index | ttl | delay | posted | attempts
//	| first | note | status | error | body (the rest, without its length)
//
// posted and first are milliseconds since 1970, 0 for the zero time.
const envelopeVersion = 1

// kinds gives each its byte in the layout: its index.
var kinds = [...]Kind{Notification, SubscriptionConfirmation, UnsubscribeConfirmation}

// Append appends the envelope to dst, for ReadEnvelope.
func (e *Envelope) Append(dst []byte) []byte {
	dst = append(dst, envelopeVersion, kindByte(e.Kind))
	dst = appendText(dst, string(e.Message))
	dst = binary.AppendVarint(dst, int64(e.Index))
	dst = binary.AppendVarint(dst, e.TTL)
	dst = binary.AppendVarint(dst, e.Delay)
	dst = binary.AppendVarint(dst, millis(e.Posted))
	dst = binary.AppendVarint(dst, int64(e.Attempts))
	dst = binary.AppendVarint(dst, millis(e.First))
	dst = appendText(dst, string(e.Note.Append(nil)))
	dst = binary.AppendVarint(dst, int64(e.Status))
	dst = appendText(dst, shortened(e.Error))
	return append(dst, e.Body...)
}

func kindByte(k Kind) byte {
	for i := range kinds {
		if kinds[i] == k {
			return byte(i)
		}
	}
	panic("delivery: an envelope of the kind " + string(k))
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func shortened(s string) string {
	if len(s) > MaxErrorSize {
		end := MaxErrorSize
		for end > 0 && !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end]
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// ReadEnvelope reads what Append wrote. The body shares the bytes of raw. An
// error means that raw is damaged or of a later version.
func ReadEnvelope(raw []byte) (Envelope, error) {
	if len(raw) < 2 {
		return Envelope{}, errShort
	}
	if raw[0] != envelopeVersion {
		return Envelope{}, fmt.Errorf("an envelope of version %d, which is not known", raw[0])
	}
	if int(raw[1]) >= len(kinds) {
		return Envelope{}, fmt.Errorf("an envelope of kind %d, which is not known", raw[1])
	}
	r := reader{rest: raw[2:]}
	e := Envelope{
		Kind:     kinds[raw[1]],
		Message:  messaging.MessageID(r.text()),
		Index:    int(r.number()),
		TTL:      r.number(),
		Delay:    r.number(),
		Posted:   r.instant(),
		Attempts: int(r.number()),
		First:    r.instant(),
		Note:     ReadNote(r.text()),
		Status:   int(r.number()),
		Error:    string(r.text()),
	}
	e.Body = r.rest
	if r.err != nil {
		return Envelope{}, r.err
	}
	return e, nil
}

var errShort = errors.New("the envelope is damaged")

// reader takes a layout apart from its front. After the first fault everything
// is zero.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) text() []byte {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.fail()
		return nil
	}
	text := r.rest[size : size+int(n)]
	r.rest = r.rest[size+int(n):]
	return text
}

func (r *reader) instant() time.Time {
	if ms := r.number(); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

func (r *reader) fail() { r.err, r.rest = errShort, nil }
