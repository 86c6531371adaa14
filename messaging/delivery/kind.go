package delivery

// Kind is what a document is for, in the words of its Message_Type
// (notifications §4, §11.3).
type Kind string

// The kinds of documents.
const (
	Notification             Kind = "Notification"
	SubscriptionConfirmation Kind = "SubscriptionConfirmation"
	UnsubscribeConfirmation  Kind = "UnsubscribeConfirmation"
)
