package workers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Messages are what producers choose from.
type Messages struct {
	kinds []kind
	exact map[string]int16 // canonical body to its number
}

// kind is one message that is posted over and over.
type kind struct {
	upTo float64 // chosen when a number from 0 to 1 is below it and not below the one before
	ttl  time.Duration
	item []byte // as posted: {"ttl": …, "body": …}
	body []byte
	// number is that of the body: the index of the first kind that has it.
	number int16
}

// maxKinds is how many messages a file may have.
const maxKinds = 1000

// minTTL is the shortest life of a message that Zaqar allows. One without a
// TTL lives at least that long.
const minTTL = 60 * time.Second

// defaultMessages returns the single message that is posted without a file.
func defaultMessages() Messages {
	m, err := ParseMessages([]byte(`[{"weight": 1.0, "doc": {"ttl": 60, "body": {"id": "7FA23C90-62F7-40D2-9360-FBD5D7D61CD1", "evt": "Single"}}}]`))
	if err != nil {
		panic(err) // a constant
	}
	return m
}

// ParseMessages reads a file of messages, a JSON array:
//
//	[{"weight": 0.8, "doc": {"ttl": 60, "body": {…}}}, …]
//
// The weights sum to 1. ttl may be left out; the server's default then counts.
func ParseMessages(file []byte) (Messages, error) {
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	var entries []struct {
		Weight *float64 `json:"weight"`
		Doc    *struct {
			TTL  *int64          `json:"ttl"`
			Body json.RawMessage `json:"body"`
		} `json:"doc"`
	}
	if err := d.Decode(&entries); err != nil {
		return Messages{}, fmt.Errorf(`must be [{"weight": number, "doc": {"ttl": seconds, "body": any}}, …]: %w`, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Messages{}, errors.New("there is something after the array")
	}
	m := Messages{exact: map[string]int16{}}
	if len(entries) > maxKinds {
		return Messages{}, fmt.Errorf("there are %d messages; at most %d can be told apart", len(entries), maxKinds)
	}
	sum := 0.0
	for i, e := range entries {
		switch {
		case e.Weight == nil || *e.Weight < 0:
			return m, fmt.Errorf("entry %d: weight must be a number from 0 to 1", i)
		case e.Doc == nil || e.Doc.Body == nil:
			return m, fmt.Errorf("entry %d: doc must be an object with a body", i)
		case e.Doc.TTL != nil && (*e.Doc.TTL < 1 || *e.Doc.TTL > math.MaxInt32):
			return m, fmt.Errorf("entry %d: ttl must be a number of seconds", i)
		}
		sum += *e.Weight
		k, err := newKind(e.Doc.TTL, e.Doc.Body)
		if err != nil {
			return m, fmt.Errorf("entry %d: %w", i, err)
		}
		k.upTo = sum
		m.add(k)
	}
	if math.Abs(sum-1) > 1e-6 {
		return m, fmt.Errorf("the weights sum to %v, not to 1", sum)
	}
	return m, nil
}

func newKind(ttl *int64, body []byte) (kind, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		return kind{}, err
	}
	k := kind{ttl: minTTL, body: compact.Bytes()}
	if ttl == nil {
		k.item = fmt.Appendf(nil, `{"body":%s}`, k.body)
		return k, nil
	}
	k.ttl = time.Duration(*ttl) * time.Second
	k.item = fmt.Appendf(nil, `{"ttl":%d,"body":%s}`, *ttl, k.body)
	return k, nil
}

func (m *Messages) add(k kind) {
	if k.number = m.recognize(k.body); k.number == unknown {
		k.number = int16(len(m.kinds))
		if c := canonical(k.body); c != nil {
			m.exact[string(c)] = k.number
		}
	}
	m.kinds = append(m.kinds, k)
}

func (m *Messages) check() error {
	if len(m.kinds) == 0 {
		return errors.New("there are no messages to post")
	}
	return nil
}

// choose returns the index of a message, by weight.
func (m *Messages) choose() int {
	if len(m.kinds) == 1 {
		return 0
	}
	x := rand.Float64()
	for i := range m.kinds {
		if x < m.kinds[i].upTo {
			return i
		}
	}
	return len(m.kinds) - 1
}

// unknown is the number of a body that is none of the messages'.
const unknown = -1

// recognize returns the number of a body of the same value: a server may write
// it differently.
func (m *Messages) recognize(body []byte) int16 {
	for i := range m.kinds {
		if bytes.Equal(body, m.kinds[i].body) {
			return m.kinds[i].number
		}
	}
	if number, ok := m.exact[string(canonical(body))]; ok {
		return number
	}
	return unknown
}

// canonical returns the one spelling of a JSON value, or nil if it has none.
func canonical(value []byte) []byte {
	v := jsontext.Value(bytes.Clone(value))
	if v.Canonicalize() != nil {
		return nil
	}
	return v
}
