package code

import (
	"context"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// start starts the child without network: in a network namespace of its own, which has not
// even a loopback interface that is up. Where that is not allowed it starts it as it is, and
// says so.
func start(ctx context.Context, command func() *exec.Cmd) (isolated bool, cmd *exec.Cmd, stdout io.Reader, err error) {
	tries := []uintptr{syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET, 0}
	if os.Geteuid() == 0 {
		// In a user namespace root could not read what belongs to others.
		tries = []uintptr{syscall.CLONE_NEWNET, syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET, 0}
	}
	for _, flags := range tries {
		cmd = command()
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: flags}
		if flags&syscall.CLONE_NEWUSER != 0 {
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		}
		started := cmd
		cmd.Cancel = func() error { kill(started); return nil }
		if stdout, err = cmd.StdoutPipe(); err != nil {
			return false, nil, nil, err
		}
		if err = cmd.Start(); err == nil {
			return flags != 0, cmd, stdout, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return false, nil, nil, err
}

// kill ends the child and what it started.
func kill(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
