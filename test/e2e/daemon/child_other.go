//go:build !linux

package daemon

import "syscall"

func childOf() *syscall.SysProcAttr { return nil }
