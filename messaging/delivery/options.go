package delivery

import (
	"bytes"
	"cmp"
	"errors"
	"strings"

	"zaqar/messaging"
	"zaqar/messaging/filter"
)

// Options is what a subscription asks for beside its subscriber. The zero value
// and nil ask for nothing.
type Options struct {
	// PostData replaces the document as the body of a request, except that
	// MessageToken in it stands for the document. nil: the document.
	PostData *string
	// PostHeaders go into every request, beside or instead of the usual headers,
	// if they may (MayPost). Names are tokens as given, no two alike but for
	// letter case; values cannot end the line.
	PostHeaders map[string]string
	// RetryPolicy is nil if there is none, so that the queue's holds.
	RetryPolicy *RetryPolicy
	// TrustID is the Keystone trust that deliveries are made under.
	TrustID string
	// From and Subject are for mail, one line each.
	From, Subject string
	// Filter says which messages are wanted; nil: all.
	Filter *filter.Policy
	// DeadLetterQueue is the queue of the project for messages that could not be
	// delivered. Empty: they are kept with the subscription.
	DeadLetterQueue string
}

// The members of subscription options that have an effect.
const (
	KeyPostData        = "post_data"
	KeyPostHeaders     = "post_headers"
	KeyTrustID         = "trust_id"
	KeyFrom            = "from"
	KeySubject         = "subject"
	KeyDeadLetterQueue = "dead_letter_queue"
	KeyFilterPolicy    = "filter_policy"
	KeyFilterScope     = "filter_policy_scope"
)

// MessageToken is what stands for the document in post_data, its quotes
// included.
const MessageToken = `"$zaqar_message$"`

// maxMessageTokens is how often post_data may name the message: each time puts
// the whole document there.
const maxMessageTokens = 16

// ParseOptions reads the JSON text of a subscription's options (notifications
// §6 to §10). Unknown members are allowed and have no effect; null unsets any.
//
// The error is Invalid and names the first member that does not fit: whoever
// stores options refuses them. The Options hold all that fits, also beside an
// error, and are never nil: whoever delivers ignores the rest.
func ParseOptions(raw []byte) (*Options, error) {
	o := new(Options)
	members, err := messaging.DecodeMetadata(raw)
	if err != nil {
		return o, invalid("options must be an object, not %s.", messaging.Given(raw))
	}
	var first error
	var policy, scope []byte
	for _, m := range members.Members() {
		if string(m.Value) == "null" {
			continue
		}
		switch m.Name {
		case KeyFilterPolicy:
			policy = m.Value
		case KeyFilterScope:
			scope = m.Value
		default:
			first = cmp.Or(first, o.set(m))
		}
	}
	return o, cmp.Or(first, o.setFilter(policy, scope))
}

// setFilter takes the JSON texts of policy and scope, nil for what is not there.
func (o *Options) setFilter(policy, scope []byte) error {
	s := filter.Body
	if scope != nil {
		name, ok := messaging.Text(scope)
		if s = filter.Scope(name); !ok || s != filter.Body && s != filter.Attributes {
			return invalid("options.%s must be %s or %s, not %s.", KeyFilterScope, filter.Body, filter.Attributes, messaging.Given(scope))
		}
	}
	var err error
	o.Filter, err = filter.Compile(policy, s)
	return inOptions(err)
}

func (o *Options) set(m messaging.Member) error {
	switch m.Name {
	case KeyPostData:
		return o.setPostData(m)
	case KeyPostHeaders:
		return o.setPostHeaders(m)
	case messaging.KeyRetryPolicy:
		var err error
		o.RetryPolicy, err = ParseRetryPolicy(m.Value)
		return inOptions(err)
	case KeyTrustID:
		return setLine(&o.TrustID, m)
	case KeyFrom:
		return setLine(&o.From, m)
	case KeySubject:
		return setLine(&o.Subject, m)
	case KeyDeadLetterQueue:
		return o.setDeadLetterQueue(m)
	}
	return nil
}

// inOptions says of an error about a member that it is one of options.
func inOptions(err error) error {
	if e := (*messaging.Error)(nil); errors.As(err, &e) {
		return messaging.E(e.Kind, "options."+e.What)
	}
	return err
}

func mustBe(m messaging.Member, what string) error {
	return invalid("options.%s must be %s, not %s.", m.Name, what, messaging.Given(m.Value))
}

func (o *Options) setPostData(m messaging.Member) error {
	text, ok := messaging.Text(m.Value)
	if !ok {
		return mustBe(m, "a string")
	}
	if n := strings.Count(text, MessageToken); n > maxMessageTokens {
		return invalid("options.%s may name the message %d times at most, not %d times.", m.Name, maxMessageTokens, n)
	}
	o.PostData = &text
	return nil
}

// setLine stores a string that will stand in a header: without what could end
// its line.
func setLine(to *string, m messaging.Member) error {
	text, ok := messaging.Text(m.Value)
	if !ok {
		return mustBe(m, "a string")
	}
	if strings.ContainsFunc(text, control) {
		return invalid("options.%s must be one line without control characters.", m.Name)
	}
	*to = text
	return nil
}

func (o *Options) setDeadLetterQueue(m messaging.Member) error {
	name, ok := messaging.Text(m.Value)
	if !ok || name != "" && !messaging.ValidName(name) {
		return mustBe(m, "the name of a queue")
	}
	o.DeadLetterQueue = name
	return nil
}

// Payload returns the body of a request that brings the document. It may be
// the document itself.
func (o *Options) Payload(document []byte) []byte {
	if o == nil || o.PostData == nil {
		return document
	}
	return bytes.ReplaceAll([]byte(*o.PostData), []byte(MessageToken), document)
}
