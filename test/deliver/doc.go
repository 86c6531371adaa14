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
package deliver
