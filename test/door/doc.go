// Command door measures what the door costs: one server that validates tokens,
// logs requests and is watched, beside one that does not, under the same load
// in turns (zaqar bench run --against).
//
//	go run ./test/door [flags] [keystone] [all]
//
// keystone has the access log on at both servers, so that the difference is
// the validation of tokens from a warm cache. all has keystone, access log
// and metrics on at one server and all of them off at the other.
//
// A fake Keystone answers the one question there is. The test of this package
// runs the same with small numbers and checks that the servers differ in what
// they let pass, never how fast they are.
package main
