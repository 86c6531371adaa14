// Package crash kills the real server under load and accounts for every
// message.
//
// The test builds the binary, runs it on a data directory and has workers post,
// claim, pop, list and delete over HTTP, each over its own connections. After
// a random number of answers the process gets SIGKILL, sometimes again while it
// starts up. Restarted on the same directory it must hold what the Ledger says,
// which is kept out here:
//
//   - an acknowledged post is there exactly once, with its body and its id, until
//     something was asked to remove it;
//   - a request that got no answer was carried out whole or not at all;
//   - what an acknowledged delete, pop, purge or drop removed never comes back;
//   - a message is under at most one live claim, and an acknowledged claim that
//     is neither released nor expired still holds its messages;
//   - the posts of one producer, one after the other, stay in order; a reader
//     that follows markers misses none;
//   - delayed messages are not early, and dead letters are in one queue, after as
//     many claims as the queue asks for;
//   - statistics agree with the listing, and queues have the metadata that was
//     acknowledged.
//
// The time of the machine must not jump meanwhile.
//
// ledger.go says what is known of a message; attempts.go, removals.go and
// leases.go how requests and their answers change that; verify.go what a listing
// of everything at rest must look like. workers.go makes the load of the requests
// in acts.go, server.go starts and kills.
package crash
