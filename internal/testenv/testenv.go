// Package testenv is for tests that the environment makes run longer, or
// repeat one run.
package testenv

import (
	"os"
	"strconv"
	"testing"
)

// Int returns the number that an environment variable says, 0 or more, or
// otherwise where it is not set. What is no such number ends the test.
func Int(t testing.TB, name string, otherwise int) int {
	t.Helper()
	text, given := os.LookupEnv(name)
	if !given {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s is no number", name, text)
	}
	return n
}
