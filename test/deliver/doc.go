// Package deliver kills the real server while it delivers, and accounts for
// every message and every subscription.
//
// The test builds the binary, subscribes webhooks of all sorts and a queue,
// posts over HTTP, and kills the process with SIGKILL at random moments. In the end
// each post that was acknowledged must have reached each subscription at least
// once, whatever happened in between. How often one arrived more than once is
// counted, and bounded: a life that ends can repeat what it had not finished,
// once.
//
//	go test ./test/deliver -args -deliver.kills 100
//
// The same when the power fails: there store and notifier run in the test, on a
// disk that forgets what was not synced (faultdisk), and die in the middle of a
// change of it, under load and while they start. That the test can fail is tested by a disk
// that lies about its syncs.
//
//	go test ./test/deliver -run Power -args -deliver.cuts 100
package deliver
