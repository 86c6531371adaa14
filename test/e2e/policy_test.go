package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"zaqar/internal/testwait"
	"zaqar/test/e2e/daemon"
)

// TestPolicyChangesWhileTheServerRuns changes the rules of a running server,
// once by the file alone, once with SIGHUP, and gives it a wrong file.
func TestPolicyChangesWhileTheServerRuns(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("queues:create: role:writer\n")
	d := daemon.Start(t, daemon.Options{Config: "[oslo_policy]\npolicy_check_interval = 0.05\npolicy_file = " + file + "\n"})
	c := d.Client()
	create := func(role string) int {
		return c.Do(t, http.MethodPut, "/v2/queues/q", nil, "X-Roles: "+role).Status
	}
	if no, yes := create("reader"), create("writer"); no != 403 || yes != 201 {
		t.Fatalf("reader %d, writer %d", no, yes)
	}
	write("queues:create: role:reader\n# and nobody else\n")
	testwait.Until(t, "the file counts", func() bool { return create("reader") == 204 })
	if got := create("writer"); got != 403 {
		t.Errorf("writer %d", got)
	}

	write("queues:create: role:reader or\n")
	d.Await(t, "the policy was not reloaded; the old rules stay in force", 1)
	d.Signal(t, syscall.SIGHUP)
	d.Await(t, "the configuration was not reloaded; the old one stays in force", 1)
	if yes, no := create("reader"), create("writer"); yes != 204 || no != 403 {
		t.Errorf("with a wrong file: reader %d, writer %d", yes, no)
	}

	write("queues:create: role:writer\n# right again\n")
	d.Signal(t, syscall.SIGHUP)
	testwait.Until(t, "SIGHUP counts", func() bool { return create("writer") == 204 })
	d.Stop(t)
}
