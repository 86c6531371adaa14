// Package storage is the contract between the broker and the stores, and
// nothing else. It holds no implementation.
//
// A deployment has one Control store (queues, topics, pools, flavors,
// placements, quotas) and one Data store (messages, claims, subscriptions), which may
// be the same object. Both are sums of small interfaces: a function that only
// reads asks only for reading.
//
// # What every store promises
//
//   - A call that returned without error is durable, unless the operator chose
//     a weaker mode. Nothing is visible to others before it is durable.
//   - Order: one total order of posts per queue. Positions grow strictly in the
//     order in which messages become visible: a reader that follows positions
//     sees every message exactly once, whatever others do meanwhile. The
//     messages of one Append are adjacent and become visible together; their
//     positions need not be consecutive numbers.
//   - Expiry: a message, claim or subscription is gone at the instant it
//     expires (now ≥ Expires), to every operation at once, whether or not its
//     space has been reclaimed.
//   - A message is under at most one live claim.
//   - Every operation is confined to the QueueRef it names. Ids of another
//     queue or project are unknown ids.
//   - Ids that were never given out, malformed ones included, behave like ids
//     of things that do not exist. They are never an error of their own.
//   - Deleting what is absent succeeds.
//   - All methods may be called concurrently. A cancelled context may leave
//     the operation done or not done, never half done; which of the two is settled
//     when the call returns. Only if the connection to a store breaks
//     (Unavailable) an operation may still take effect after it has failed.
//
// The Data store does not know which queues exist: an absent queue is an empty
// one, and Append needs no preparation. Existence is the Control store's.
//
// # Several processes
//
// A store may serve several processes at once. Expiry is judged by the clock of
// each (Env.Now), so their clocks have to be in step: by how much they are not is
// by how much something may expire early or late for one of them. What was
// reclaimed is gone for all. Each of them may sweep.
//
// # Sizes
//
// Lifetimes and delays of messages and claims up to MaxLifetime, a claim's TTL
// and grace added up, client ids up to messaging.MaxClientIDSize, bodies of up to
// 12 MiB, and posts of up to 10,000 messages and 64 MiB are never refused for
// their size. What is larger may be an Invalid error, with nothing stored.
//
// # Texts
//
// Projects, client ids and subscribers may hold any byte, NUL and what is not
// UTF-8 included. Ids that messaging.ValidID refuses need not be asked for.
//
// # Slices
//
// Slices passed in, bodies included, are not kept after the call returns; until
// then they must not change. Slices returned belong to the caller; bodies in
// them must not be modified.
//
// # Errors
//
// Failures carry a messaging.Kind, assigned where the driver understands them:
// NotFound, Conflict, Claimed, NotClaimed as the methods say, and Unavailable
// for a store that cannot be reached, is full or has failed. Anything else is
// a defect.
//
// Package storagetest proves these promises on any driver.
package storage
