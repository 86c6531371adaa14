//go:build race

package main

// detector tells that the race detector is on: it takes memory of its own.
const detector = true
