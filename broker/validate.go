package broker

import (
	"math"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// checkMetadata refuses metadata whose reserved members break a rule of
// http-v2 §10, or that is too large. before is what is stored now: it may keep
// what it says already even if it could not be said anew.
func (s *setup) checkMetadata(q messaging.QueueRef, before, m *messaging.Metadata) error {
	for _, member := range m.Members() {
		if err := s.checkMember(q, before, member); err != nil {
			return err
		}
	}
	if size := int64(len(m.JSON())); size > s.MaxQueueMetadata {
		return invalid("The metadata must have at most %d bytes, not %d.", s.MaxQueueMetadata, size)
	}
	return nil
}

// checkMember checks one member by its name. null unsets any of them.
func (s *setup) checkMember(q messaging.QueueRef, before *messaging.Metadata, m messaging.Member) error {
	if string(m.Value) == "null" {
		return nil
	}
	switch m.Name {
	case messaging.KeyMaxPostSize:
		return checkInteger(m.Name, m.Value, 1, s.MaxMessagesPostSize)
	case messaging.KeyDefaultTTL, messaging.KeyDeadLetterTTL:
		return checkInteger(m.Name, m.Value, minMessageTTL, s.MaxMessageTTL)
	case messaging.KeyDefaultDelay:
		return checkInteger(m.Name, m.Value, 0, s.MaxMessageDelay)
	case messaging.KeyMaxClaimCount:
		return checkInteger(m.Name, m.Value, 0, math.MaxInt64)
	case messaging.KeyDeadLetterQueue:
		return checkDeadLetterQueue(q, m.Value)
	case messaging.KeyEncrypt:
		return s.checkEncrypt(before, m.Value)
	case messaging.KeyFlavor:
		if _, ok := messaging.Text(m.Value); !ok {
			return invalid("%s must be a string, not %s.", m.Name, given(m.Value))
		}
	case messaging.KeyRetryPolicy:
		_, err := delivery.ParseRetryPolicy(m.Value)
		return err
	case messaging.KeyAcceptFrom:
		if _, _, ok := messaging.Projects(m.Value); !ok {
			return invalid("%s must be an array of projects or \"*\", not %s.", m.Name, given(m.Value))
		}
	}
	return nil
}

// checkInteger refuses what is not a JSON integer within low..high.
func checkInteger(field string, value []byte, low, high int64) error {
	n, ok := messaging.Integer(value)
	if ok && low <= n && n <= high {
		return nil
	}
	if high == math.MaxInt64 {
		return invalid("%s must be an integer not below %d, not %s.", field, low, given(value))
	}
	return invalid("%s must be an integer between %d and %d, not %s.", field, low, high, given(value))
}

// checkDeadLetterQueue refuses what cannot name another queue. The empty
// string means none.
func checkDeadLetterQueue(q messaging.QueueRef, value []byte) error {
	name, ok := messaging.Text(value)
	switch {
	case !ok:
		return invalid("%s must be the name of a queue, not %s.", messaging.KeyDeadLetterQueue, given(value))
	case name == "":
		return nil
	case !messaging.ValidName(name):
		return invalid("%s must be a valid queue name, not %s.", messaging.KeyDeadLetterQueue, given(value))
	case name == q.Name:
		return invalid("%s must name another %s than %s itself.", messaging.KeyDeadLetterQueue, noun(q), quoted(name))
	}
	return nil
}

// checkEncrypt refuses what is not a boolean (false-like values pass for
// false), and to enable encryption without a key to encrypt with.
func (s *setup) checkEncrypt(before *messaging.Metadata, value []byte) error {
	switch {
	case messaging.FalseLike(value):
		return nil
	case string(value) != "true":
		return invalid("%s must be true or false, not %s.", messaging.KeyEncrypt, given(value))
	case s.keys.none() && !before.Settings().Encrypt:
		return invalid("%s cannot be true: this server has no encryption key.", messaging.KeyEncrypt)
	}
	return nil
}
