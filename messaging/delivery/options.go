package delivery

// Options are those of a subscription, read from its JSON (notifications §6).
type Options struct {
	// PostData replaces the document as the body of webhooks. Nil: it does
	// not; empty: the body is empty.
	PostData *string
	// PostHeaders are sent by webhooks beside or instead of the usual ones.
	// Names are as given.
	PostHeaders map[string]string
}
