// Package load puts a Zaqar-compatible HTTP server under load and accounts for
// every message.
//
//	Queue.Fill -> Run(Scenario, connections) … -> Queue.Audit -> Queue.Drop
//
// A Scenario is what each connection does over and over; Run lets a number of
// connections do it for a while and measures a window of that time. Every
// answer is checked while it runs: status, number of messages, and for a list
// of a queue that does not change also which ones. Every id that was posted,
// claimed or deleted is kept, and Audit compares them with what the server
// still holds: lost, duplicate, phantom, claimed or deleted twice, back after deletion and
// out of order are failures.
//
// A Target that is not Real (the null sink) gets the same requests, and its
// answers are read in the same way, but nothing is accounted for.
package load
