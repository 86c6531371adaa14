package load

// Scenario is what connections do. Usually each goes through the same steps
// over and over: post, then list, then claim and delete, leaving out what is
// 0. With Consumers or Readers, connections that only receive are added.
type Scenario struct {
	Name  string
	Post  int  // messages in one post
	Posts int  // posts in a row; 0 stands for 1
	List  int  // limit of one list; pages follow each other to the end
	Lists int  // lists in a row; 0 stands for 1
	Claim int  // limit of one claim
	Bulk  bool // delete what was claimed with one request, else one by one

	// Consumers is how many more connections claim and delete what comes, up
	// to Receive with one claim; Readers how many list all that comes, up to
	// Receive on one page. They wait for messages at the server.
	Consumers, Readers int
	Receive            int
}

// Waits reports whether connections wait for messages.
func (s *Scenario) Waits() bool { return s.Consumers+s.Readers > 0 }

// static reports whether the queue stays as Fill left it.
func (s *Scenario) static() bool { return s.Post == 0 && s.Claim == 0 && !s.Waits() }

// Op is a kind of request.
type Op int

// The kinds. Wait is a list or a claim that waits for messages: how long it
// takes says nothing about the server, and it counts for nothing but itself.
const (
	Post Op = iota
	List
	Claim
	Delete
	Wait
	ops
)

// String is the name of the kind of request, as reports have it.
func (o Op) String() string { return [...]string{"post", "list", "claim", "delete", "wait"}[o] }

// Ops lists the kinds.
func Ops() []Op { return []Op{Post, List, Claim, Delete, Wait} }
