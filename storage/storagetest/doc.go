// Package storagetest proves on any store what package storage promises.
//
//   - Run is the conformance suite: one subtest a statement. STATEMENTS.md maps
//     the statements of the specification to them.
//   - Model replays random histories on a store and on storage/memory and
//     prints the shortest one on which they differ.
//   - History has many clients use a store at once, and package history look for
//     an order of their calls in which it kept the promises.
//   - Benchmark measures the hot operations at a given backlog.
//
// A driver describes itself in a Harness and calls them from its own tests.
// The suite owns time: a store only reads the Env.Now it is given, and a Clock
// moves that, so nothing here sleeps.
package storagetest
