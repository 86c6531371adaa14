// Package confirm writes what subscribers are asked before they get messages,
// and told when they get no more: as a document for webhooks and as a mail
// (notifications §11).
//
// It promises:
//
//   - A document can be acted on with what it holds and nothing else: it signs
//     one request, PUT to the confirm path of its subscription, until it
//     expires.
//   - Where clients reach this server is told if it is known. That it is not
//     keeps no document back.
//   - A mail is made of the document alone, so that what waits for delivery is
//     the same for every kind of subscriber.
//   - The link of a mail can be read without percent-decoding by the landing
//     pages that others wrote for the original, and by our own.
package confirm
