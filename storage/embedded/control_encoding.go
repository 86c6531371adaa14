package embedded

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"zaqar/messaging"
)

// queueKey is the key of a queue: unambiguous, and sorting by project, kind,
// then name. That of a part continues behind partMark, which no name has.
func queueKey(ref messaging.QueueRef) string {
	b := projectKey(ref.Project)
	kind := byte('q')
	if ref.Topic {
		kind = 't'
	}
	b = append(append(b, kind), ref.Name...)
	if ref.Part != "" {
		b = append(append(b, partMark), ref.Part...)
	}
	return string(b)
}

const partMark = '\x01'

func projectKey(p messaging.Project) []byte {
	b := make([]byte, 0, len(p)+80)
	b = binary.BigEndian.AppendUint16(b, uint16(len(p)))
	return append(b, p...)
}

// isQueueKey reports whether decodeQueueKey can read the key.
func isQueueKey(key string) bool {
	if len(key) < 2 {
		return false
	}
	n := int(binary.BigEndian.Uint16([]byte(key[:2]))) + 2
	return len(key) > n && (key[n] == 'q' || key[n] == 't')
}

func decodeQueueKey(key string) messaging.QueueRef {
	n := int(binary.BigEndian.Uint16([]byte(key[:2]))) + 2
	name, part, _ := strings.Cut(key[n+1:], string(partMark))
	return messaging.QueueRef{Project: messaging.Project(key[2:n]), Topic: key[n] == 't', Name: name, Part: messaging.Part(part)}
}

// encodeControl renders a control value for the log. The JSON names of the
// fields are those of package messaging and part of the format.
func encodeControl(v any) []byte {
	switch v := v.(type) {
	case uint64:
		return binary.AppendUvarint(nil, v)
	case *messaging.Metadata:
		return v.JSON()
	case *messaging.Subscription:
		return encodeSubscription(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("embedded: control value %T: %v", v, err))
	}
	return b
}

// decodeControlValue returns the value that an edit of the log gives to its
// key, nil if it erases it. It fails on everything encodeControl cannot have
// made.
func decodeControlValue(e edit) (any, error) {
	if e.table == 0 || e.table >= tableCount {
		return nil, fmt.Errorf("%w: a control record of table %d", errNewer, e.table)
	}
	if keyed := e.table == tableContainers || e.table == tableQueues; keyed && !isQueueKey(e.key) {
		return nil, errors.New("not the key of a queue")
	}
	if e.erase {
		return nil, nil
	}
	var v any
	switch e.table {
	case tableContainers:
		n, size := binary.Uvarint(e.value)
		if size <= 0 {
			return nil, errShort
		}
		return n, nil
	case tableQueues:
		return messaging.DecodeMetadata(bytes.Clone(e.value))
	case tableSubscriptions:
		return decodeSubscription(e.value)
	case tablePools:
		v = new(messaging.Pool)
	case tableFlavors:
		v = new(messaging.Flavor)
	case tablePlacements:
		v = new(messaging.Placement)
	case tableQuotas:
		v = new(messaging.Quota)
	}
	return v, json.Unmarshal(e.value, v)
}
