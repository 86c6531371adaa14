package keystone

import "syscall"

// childOf makes the kernel end the program when the test binary dies, which
// a test that hangs or is interrupted does without clean-up.
func childOf() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
