package storage

// Arena is memory for the message bodies of one answer, to be used again for
// the next. Whoever asks for messages may hand one in; a store may put bodies
// there, or leave it alone, but only while it is being asked. What lies in it
// holds until Reset. A nil Arena is a valid one that is used once. It is for one
// caller at a time.
type Arena struct{ free []byte }

// largest is how much an Arena takes at once for bodies to come: a store may
// read far more than the answer holds, and that is not to add up.
const largest = 1 << 20

// Take returns n bytes of any content.
func (a *Arena) Take(n int) []byte {
	if a == nil {
		return make([]byte, n)
	}
	if cap(a.free)-len(a.free) < n {
		a.free = make([]byte, 0, max(n, min(2*cap(a.free), largest), 16<<10)) // what was taken stays where it is
	}
	at := len(a.free)
	a.free = a.free[:at+n]
	return a.free[at : at+n : at+n]
}

// Reset takes back all that was taken, and keeps up to most bytes for the next
// time.
func (a *Arena) Reset(most int) {
	if cap(a.free) > most {
		a.free = nil
	}
	a.free = a.free[:0]
}
