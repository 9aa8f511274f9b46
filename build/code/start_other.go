//go:build !linux

package code

import (
	"context"
	"io"
	"os/exec"
)

// start starts the child. Only Linux can take the network from it.
func start(_ context.Context, command func() *exec.Cmd) (isolated bool, cmd *exec.Cmd, stdout io.Reader, err error) {
	cmd = command()
	if stdout, err = cmd.StdoutPipe(); err != nil {
		return false, nil, nil, err
	}
	return false, cmd, stdout, cmd.Start()
}

func kill(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = cmd.Process.Kill()
	}
}
