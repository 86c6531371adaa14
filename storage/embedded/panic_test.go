package embedded

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"zaqar/storage/embedded/disk/faultdisk"
)

// A panic while the log is written must end the process, although the request
// that happens to write would recover it: others would wait for ever.
func TestPanicWhileWritingEndsTheProcess(t *testing.T) {
	const variable = "ZAQAR_TEST_PANIC"
	if os.Getenv(variable) != "" {
		w := newWorld(faultdisk.New(faultdisk.Config{}))
		must(t, w.open())
		defer func() { _ = recover() }() // as a front does
		g, err := w.store.journal.submit(0, func(b []byte, _ uint64) []byte {
			b, at := beginRecord(b, recState, 0)
			return endRecord(b, at)
		}, func(*segment, uint32) { panic("something impossible") }, nil)
		must(t, err)
		_ = g.wait()
		return
	}
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), variable+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "something impossible") || !strings.Contains(string(out), "while writing the log") {
		t.Errorf("%v\n%s", err, out)
	}
}
