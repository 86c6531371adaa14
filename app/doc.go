// Package app builds every part of a server from Options and owns their
// start, change and stop, so that a main function and a test run the same
// server.
//
// New builds in one straight function (see build in app.go) and records an
// undo step for each part; stopping runs the steps backwards, each under a
// deadline. Which stores exist is one visible table, in drivers.go.
//
// It promises that a stop loses nothing: it ends long polls at once with
// their ordinary empty answer, finishes requests in flight within
// Options.ShutdownTimeout and closes the store last.
//
// It leaves files, environment and flags to package config, and signals to
// the main function.
package app
