package process

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel end the process when the thread that starts
// it is gone.
func endWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
