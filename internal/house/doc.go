// Package house has no code, only tests of the shape of the repository: which
// package may import which, who may look at the clock and the environment,
// whether docs/architecture.md shows every package, and how long files are.
package house
