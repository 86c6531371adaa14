// Package cli is the command line of Zaqar: the server, and what one needs around
// it. A program that adds stages or stores is one call of Main; see
// docs/extending.md.
//
// A command reads its flags, has package config say what is in force, and calls
// app or bench, which do the work: nothing about messages is decided here.
//
// It promises that what was asked for, and nothing else, is on standard output,
// and complaints on standard error. The exit code is 0 if it was done, 1 if it
// could not be done and 2 if it was asked for wrongly; commands with codes of
// their own say so in their help.
package cli
