package delivery

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendDocument appends the JSON text that brings a message of the queue or
// topic to a subscriber (notifications §4). body is the JSON text of the
// message's body and goes in as it is; ttl and delay are seconds, and no delay
// is not mentioned.
func AppendDocument(dst []byte, queue string, ttl, delay int64, body []byte) []byte {
	dst = append(dst, `{"ttl":`...)
	dst = strconv.AppendInt(dst, ttl, 10)
	dst = append(dst, `,"body":`...)
	dst = append(dst, body...)
	if delay != 0 {
		dst = append(dst, `,"delay":`...)
		dst = strconv.AppendInt(dst, delay, 10)
	}
	dst = append(dst, `,"queue_name":`...)
	dst, _ = jsontext.AppendQuote(dst, queue)
	dst = append(dst, `,"Message_Type":"`...)
	dst = append(dst, Notification...)
	return append(dst, `"}`...)
}

// Again says which deliveries a replay repeats.
type Again string

// What can be replayed.
const (
	AgainFailed Again = "failed" // those given up, as far as they are kept
	AgainAll    Again = "all"    // the messages that still exist
)

// Replay asks for deliveries of a subscription to be made once more.
type Replay struct {
	What  Again
	Since time.Time // of messages posted before, none; zero: of all
}
