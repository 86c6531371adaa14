// Package need is for tests that need something beyond Go: they are skipped
// where it is missing, and fail where ZAQAR_TEST_REQUIRE is set, as it is in
// CI.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program returns the path of a program, or ends the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "the program "+name)
	}
	return path
}

// Missing ends the test for want of what.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("ZAQAR_TEST_REQUIRE") != "" {
		t.Fatalf("%s is missing, and ZAQAR_TEST_REQUIRE is set; make setup installs what tests need", what)
	}
	t.Skipf("%s is missing; make setup installs what tests need", what)
}
