package keystone

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"zaqar/internal/need"
)

// python has clients that others wrote find the server in Keystone's
// catalogue, log in and use it.
func python(t *testing.T, c *cast, _ *zaqar) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	interpreter := os.Getenv("ZAQAR_TEST_PYTHON")
	if interpreter == "" {
		interpreter = "/usr/bin/python3"
	}
	if err := exec.CommandContext(ctx, interpreter, "-c", "import openstack, zaqarclient, keystoneauth1").Run(); err != nil {
		need.Missing(t, "a Python with openstacksdk and python-zaqarclient")
	}
	cmd := exec.CommandContext(ctx, interpreter, "-W", "ignore", "clients.py")
	cmd.Env = []string{
		"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1",
		"OS_AUTH_URL=" + c.URL, "OS_USERNAME=alice", "OS_PASSWORD=" + passwordOf("alice"),
		"OS_PROJECT_ID=" + c.projects["demo-a"], "OS_USER_DOMAIN_ID=default",
	}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "openstacksdk\npython-zaqarclient\n" {
		t.Fatalf("%v\n%s", err, out)
	}
}
