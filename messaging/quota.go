package messaging

import "slices"

// Limit names something of which a project may have only so much. The names
// are those of configuration keys, of the API and of stored records.
type Limit string

// The limits. Rates bound how fast something happens and pass by themselves;
// the others bound how much there is at a time.
const (
	LimitRequests      Limit = "requests_per_second"
	LimitRequestBurst  Limit = "request_burst" // requests at once; Unlimited: those of one second
	LimitByteRate      Limit = "bytes_per_second"
	LimitByteBurst     Limit = "byte_burst" // bytes at once; Unlimited: those of one second
	LimitConnections   Limit = "connections"
	LimitWaiting       Limit = "waiting_requests"
	LimitQueues        Limit = "queues"
	LimitTopics        Limit = "topics"
	LimitMessages      Limit = "messages"
	LimitMessageBytes  Limit = "message_bytes"
	LimitSubscriptions Limit = "subscriptions"
)

// AllLimits lists every limit in the order of documents.
func AllLimits() []Limit {
	return []Limit{LimitRequests, LimitRequestBurst, LimitByteRate, LimitByteBurst, LimitConnections, LimitWaiting,
		LimitQueues, LimitTopics, LimitMessages, LimitMessageBytes, LimitSubscriptions}
}

// Unlimited is the value of a limit that is none.
const Unlimited = -1

// MaxLimit is the largest value of a limit: what JavaScript's numbers hold.
const MaxLimit = 1<<53 - 1

// Known reports whether there is a limit of this name.
func (l Limit) Known() bool { return slices.Contains(AllLimits(), l) }

// Least is the smallest value of the limit other than Unlimited. A rate of 0
// would be a limit that never passes.
func (l Limit) Least() int64 {
	switch l {
	case LimitRequests, LimitRequestBurst, LimitByteRate, LimitByteBurst:
		return 1
	}
	return 0
}

// Valid reports whether n is a value of the limit.
func (l Limit) Valid(n int64) bool { return n == Unlimited || n >= l.Least() && n <= MaxLimit }

// Limits are values of limits. What is missing is somebody else's to say.
type Limits map[Limit]int64

// Quota is what an administrator granted to one project: it takes the place of
// the deployment's limits where it says something.
type Quota struct {
	Project Project
	Limits  Limits
}

// Stored is what the unexpired messages of a project are, those of topics,
// claimed and delayed ones included.
type Stored struct {
	Messages int64
	Bytes    int64 // of bodies, as they are stored
}
