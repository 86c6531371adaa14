// Command scale measures how the server behaves when there is much of
// something: queues that nobody uses, clients that wait, tenants that take all
// they can get.
//
//	go run ./test/scale [flags] SCENARIO
//
// Each scenario starts the real program on a store of its own and prints one
// JSON object: what was measured, the figures and the conditions. What is
// compared is measured in turns, in one run, and the median of the ratios is
// the result, because a ratio holds on a machine that others use as well.
// Every answer is checked; one that is wrong ends the run.
//
// With -http2, those who wait do so over HTTP/2 under TLS: as many as one likes
// on a few hundred connections. Inside the process (waiters-inside) they have
// connections that take no files.
//
// Load that is not to disturb what is measured comes from processes of its
// own: this program again, with -role.
//
// The tests of this package run the same scenarios with smaller numbers and
// check counts and bytes, never times.
package main
