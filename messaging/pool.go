package messaging

// Pool is one message store among several (http-v2 §14). Pools belong to the
// deployment, not to a project.
type Pool struct {
	Name    string
	Weight  int64  // share of new queues; 0 takes none
	URI     string // unique among pools; may hold a password
	Flavor  FlavorRef
	Options []byte // JSON object text
}

// FlavorRef names a flavor; the zero value means none.
type FlavorRef struct {
	Project Project
	Name    string
}

// Flavor is a named set of pools a project can ask for (http-v2 §15). Its
// pools are those whose Flavor names it.
type Flavor struct {
	Ref          FlavorRef
	Capabilities []Capability
}

// Placement records the pool that holds a queue.
type Placement struct {
	Queue QueueRef
	Pool  string
}

// Capability is a promise of a message store, by its name on the wire
// (operations §2.2).
type Capability string

// The capabilities a store can promise.
const (
	FIFO           Capability = "FIFO"
	Claims         Capability = "CLAIMS"
	Durability     Capability = "DURABILITY"
	AtLeastOnce    Capability = "AOD"
	HighThroughput Capability = "HIGH_THROUGHPUT"
)
