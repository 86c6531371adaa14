package compat

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"zaqar/internal/need"
	"zaqar/test/e2e/daemon"
)

func TestPythonZaqarclient(t *testing.T) {
	t.Parallel()
	python := interpreter(t, "zaqarclient")
	server := daemon.Start(t, daemon.Options{Args: []string{"--admin-mode"}, Config: signing})
	script(t, python, "zaqarclient_test.py", "ZAQAR_URL="+server.URL)
}

func TestOpenstackSDK(t *testing.T) {
	t.Parallel()
	python := interpreter(t, "openstack")
	server := daemon.Start(t, daemon.Options{})
	script(t, python, "openstacksdk_test.py", "OS_AUTH_URL="+newIdentity(t, server.URL).URL)
}

func TestOpenstackCommandLine(t *testing.T) {
	t.Parallel()
	python := interpreter(t, "zaqarclient, openstackclient")
	server := daemon.Start(t, daemon.Options{Args: []string{"--admin-mode"}, Config: signing})
	script(t, python, "openstackclient_test.py", "OS_AUTH_URL="+newIdentity(t, server.URL).URL)
}

// signing is the configuration of a server that signs URLs.
const signing = "[signed_url]\nsecret_key = a text of the tests\n"

// interpreter returns a Python that has the modules: the one that test/setup
// named, the one it installs where Debian's packages cannot be had, or the
// system's.
func interpreter(t *testing.T, modules string) string {
	t.Helper()
	for _, python := range []string{
		os.Getenv("ZAQAR_TEST_PYTHON"), "../../.cache/clients/bin/python", "/usr/bin/python3", "python3",
	} {
		if python == "" {
			continue
		}
		path, err := exec.LookPath(python)
		if err == nil && exec.CommandContext(t.Context(), path, "-c", "import "+modules).Run() == nil {
			path, err = filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	need.Missing(t, "a Python with "+modules)
	return ""
}

var ran = regexp.MustCompile(`(?m)^Ran ([1-9]\d*) tests? in .*\n\nOK$`)

// script runs a file of unit tests with an environment that holds nothing but
// what is given.
func script(t *testing.T, python, file string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// The clients leave connections for the garbage collector to close.
	cmd := exec.CommandContext(ctx, python, "-W", "ignore", file)
	cmd.Dir = "python"
	cmd.Env = append(env, "HOME="+t.TempDir(), "PATH="+os.Getenv("PATH"), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	result := ran.FindSubmatch(out)
	if err != nil || result == nil {
		t.Fatalf("%s: %v\n%s", file, err, out)
	}
	t.Logf("%s passed %s tests with %s", file, result[1], python)
}
