// Package isolation shows that tenants cannot touch each other, not even see
// whether there is another one.
//
// Two servers run. On both, project B has the same things; on one of them,
// project A has things as well: queues and topics with names of B's and names
// of its own, messages, claims, and whatever routes may come. B then goes through
// every route of the running server with every kind of identifier of A's, as
// they are, guessed and disguised. Each request goes to both servers. The
// answers have to be the same but for what a server makes up itself (ids,
// instants), and what A has must be as it was.
//
// The routes come from the servers. One without a case fails the test, so that
// whoever adds a route has to say how it is asked: cases.go.
//
// What is not compared is the time that answers take.
package isolation
