// Package delivery holds what is known about a delivery without making one:
// the options of a subscription and the documents that subscribers get.
//
// It owns plain values only, as package messaging does. The broker reads them
// to answer clients, and package notify to deliver.
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
