package daemon

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs under test, as environment variables: the first is given by
// make or built by Main, the second is only ever built by Main.
const (
	shippedVariable = "ZAQAR_BINARY"
	racedVariable   = "ZAQAR_RACE_BINARY"
)

// Main is the TestMain of packages that start the program. It builds the
// program unless make has. If raced is true and the tests run with the race
// detector, the servers they start have it, too.
func Main(m *testing.M, raced bool) int {
	dir, err := os.MkdirTemp("", "zaqar-build")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if os.Getenv(shippedVariable) == "" {
		err = build(shippedVariable, filepath.Join(dir, "zaqar"))
	}
	if err == nil && raced && detector {
		err = build(racedVariable, filepath.Join(dir, "zaqar-race"), "-race")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(variable, path string, flags ...string) error {
	args := append([]string{"build", "-o", path}, flags...)
	if out, err := exec.Command("go", append(args, "zaqar/cmd/zaqar")...).CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return os.Setenv(variable, path)
}

// Shipped returns the path of the program as it is given to users.
func Shipped(t testing.TB) string {
	t.Helper()
	path := os.Getenv(shippedVariable)
	if path == "" {
		t.Fatal("there is no program to test: the package lacks a TestMain that calls daemon.Main")
	}
	return path
}

// Binary returns the path of the program that tests start by default.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(racedVariable); path != "" {
		return path
	}
	return Shipped(t)
}
