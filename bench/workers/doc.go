// Package workers drives a Zaqar-compatible server over HTTP as the
// zaqar-bench of the Python server does: producers post, consumers claim and
// delete, observers list, each on a connection of its own and on a queue
// chosen at random for every request.
//
//	Run(Options) -> reset the queues -> Load for a while -> audit -> Report
//
// Every answer is checked. What was posted, claimed, deleted and listed is
// written down in journals, with times, and when the load is over the queues
// are listed to their ends and all is compared: a message that is lost, handed
// out twice, never posted, back after its deletion, altered or out of order is
// a failure of the report. A message that may have expired is not lost. The
// account takes about 200 bytes of memory for each message.
//
// A request that is refused is counted and fails the report; a connection that
// breaks ends the run. Run always returns: each answer is waited for a bounded
// time.
package workers
