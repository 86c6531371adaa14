// Package testproc is about the programs that tests start.
package testproc

import "syscall"

// Child makes the kernel end the program when the test binary dies, which a
// test that hangs or is interrupted does without clean-up.
func Child() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
