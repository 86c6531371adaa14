//go:build !race

package daemon

const detector = false
