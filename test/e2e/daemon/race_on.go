//go:build race

package daemon

const detector = true
