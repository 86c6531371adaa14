package load

// Scenario is what each connection does over and over: post, then list, then
// claim and delete, leaving out what is 0.
type Scenario struct {
	Name  string
	Post  int  // messages in one post
	List  int  // limit of one list; pages follow each other to the end
	Claim int  // limit of one claim
	Bulk  bool // delete what was claimed with one request, else one by one
}

// static reports whether the queue stays as Fill left it.
func (s *Scenario) static() bool { return s.Post == 0 && s.Claim == 0 }

// Op is a kind of request.
type Op int

// The kinds.
const (
	Post Op = iota
	List
	Claim
	Delete
	ops
)

func (o Op) String() string { return [...]string{"post", "list", "claim", "delete"}[o] }

// Ops lists the kinds.
func Ops() []Op { return []Op{Post, List, Claim, Delete} }
