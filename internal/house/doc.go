// Package house has no code, only tests of the shape of the repository: which
// package may import which, and who may look at the clock and the
// environment.
package house
