//go:build unix && !linux

package supervise

import "syscall"

// attributes puts a program into a group of its own, so that Ctrl-C reaches the supervisor alone, which stops the programs in
// order. A supervisor that is killed leaves them running here.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
