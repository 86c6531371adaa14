// Package history judges what concurrent clients were told by a message store.
//
// Run lets clients post, claim, renew, release, delete, pop and look, many at
// once, on the same messages and with each other's claims, while time passes in
// leaps, so that claims expire under their holders. It records when each
// call began and ended, what it said, and the store's time around it. In the
// end it lets all claims expire and takes what is left.
//
// Check then looks for an order in which the calls, one at a time, each at some
// moment between its beginning and its end, could have said that: it asks
// porcupine whether the history is linearizable. The model is the lease of one
// message (doc comment of message in model.go), and each message is judged on
// its own. If there is no such order, a promise was broken:
//
//   - a message is under at most one live claim, and a claim is live until it
//     is released or expires, neither shorter nor longer, wherever it was
//     renewed;
//   - a message is not lost: a claim or pop that could have had it does not
//     say that there is nothing, or nothing older;
//   - it is not handed out after it was deleted or popped, nor without having
//     been posted, nor with another body;
//   - only the live claim that holds it deletes it where a claim is given, and
//     nobody deletes it without while a live claim holds it.
//
// Where one client alone takes from a queue, it meets the messages in the order
// in which they were posted, and those of one post in the order of the post.
//
// That a broken promise is found is tested with histories that have one.
package history
