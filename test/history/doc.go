// Package history judges the whole server by what it tells concurrent clients:
// it runs the load of storage/storagetest/history over HTTP v2, once against
// the fronts, the broker and the embedded store in this process, on a clock
// that leaps so that claims expire, and once against the program itself, whose
// claims live a minute at least.
package history
