//go:build !linux

package keystone

import "syscall"

func childOf() *syscall.SysProcAttr { return nil }
