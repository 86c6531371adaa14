// Package notify delivers messages to the subscribers of queues and topics, and
// loses none.
//
// # How data flows
//
//	post ──(one commit)──> queue            the message
//	              └──────> outbox(queue)    a copy, for those who subscribed
//
//	outbox ──claim──> lot ──filter──> jobs ──> lane of a subscription ──> Sender
//	                   ^                          │ failed, behind, held
//	                   │ all ended: removed       v
//	                   └────────── stored ── backlog(subscription)
//	                                              │ claimed when due
//	                                              └──> lane ──> Sender ──> done, next wait, or given up
//
// Outboxes, backlogs and what was given up are queues of the store like any
// other (messaging.Part), so leases, counts of attempts, waits, expiry,
// durability, and several servers sharing the work come with the store.
//
// A lot of the outbox is claimed under a lease, which is renewed while any of it
// is open. Each subscription of the queue that wants a message of the lot gets a
// job in its lane. A job ends when its messages were delivered, or were stored
// somewhere else: in the subscription's backlog with the wait that its retry
// policy says, or among its dead letters. When every job of an entry has ended
// the entry is removed. What comes out of a backlog takes the same way, with one
// job.
//
// # What it promises
//
//   - A message whose post was acknowledged reaches every subscription that is
//     there when the notifier comes to it, and confirmed if it has to be, at
//     least once, or is given up for a reason that its owner can read. Kill -9 at
//     any moment makes it arrive more than once, never not at all.
//   - A claim is on disk before it returns and counts, so an attempt is recorded
//     before it is made. Waits are stored, not slept.
//   - Messages of one post reach a subscriber in their order. Posts do so as long
//     as its subscriber keeps up and nothing fails: a lane makes one delivery at a
//     time unless more than a few wait. What is repeated is overtaken.
//   - A slow or dead subscriber holds up nobody else: see bounds below.
//   - Whoever started a goroutine waits for it; Run returns when all have ended.
//
// # Bounds
//
// Deliveries in flight: overall, for each project, for each host, for each project
// at a host (three for each place that stays free there), and for each
// subscription, with at most half of them with subscribers that were slow lately,
// and three quarters of that half for one project. Projects take turns in every
// line. Who has several messages to bring leaves his place after a second if
// others wait. A lane that lacks a place is parked where the place comes
// free, and a lane that does not take the place it was woken for passes it on. An
// attempt that takes more than a second gives its place back and goes on, as long
// as there are not too many of those either. Jobs in memory: a lane that has room for no more is behind,
// and what comes for it goes to its backlog until that is empty, but lanes that run
// dry wait a tenth of a second for it first; a queue all whose lanes are busy is
// left to wait in its outbox, on disk; subscriptions are read page by
// page, and no page is read while there are too many jobs, or bytes of messages,
// in memory. If that does not change for a second, because those that have
// them are slow, new jobs go to the backlogs at once, but for those of hosts and
// projects that have little in memory. For a project that has very much, in bytes or
// in what is being stored, nothing is claimed. So a fan-out to 100,000
// subscriptions takes the memory of some thousand jobs, no goroutines but those of
// deliveries in flight, and keeps its lease however long it takes. A subscription
// with a backlog costs a lane and a timer's place in one heap, whatever the
// backlog's length.
//
// # Where to start
//
// notify.go (Notifier, Run, stopping), then lot.go, fanout.go, lane.go,
// places.go, attempt.go and backlog.go in the order of the picture; ledger.go
// writes what was done into subscriptions; requests.go has what the broker asks
// for. sender.go is what protocols implement.
package notify
