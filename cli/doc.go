// Package cli is the command line of Zaqar: the server, and what one needs around
// it. A program that adds stages or stores is one call of Main; see
// docs/extending.md.
package cli
