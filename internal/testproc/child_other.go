//go:build !linux

// Package testproc is about the programs that tests start.
package testproc

import "syscall"

// Child has no effect here.
func Child() *syscall.SysProcAttr { return nil }
