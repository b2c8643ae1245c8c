package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"h5pay/internal/cleanup"
)

// D1 is a database in its own process.
type D1 struct {
	Address string // for WorkerdConfig

	stdin io.Closer
	cmd   *exec.Cmd
}

// StartD1 starts an empty database and runs SQL files on it. dir is the project's root. If ctx
// ends, the start is cancelled. A running database does not depend on ctx.
func StartD1(ctx context.Context, dir string, sql ...string) (*D1, error) {
	return StartD1In(ctx, dir, "", sql...)
}

// StartD1In is StartD1 with the database's files in a folder. The next call with the same folder
// finds the stored data. With folder "" the data ends with the process.
func StartD1In(ctx context.Context, dir, folder string, sql ...string) (*D1, error) {
	if err := cleanup.Check(); err != nil {
		return nil, err
	}
	args := append([]string{filepath.Join(dir, "internal/stack/d1.mjs"), folder}, sql...)
	cmd := exec.Command(filepath.Join(dir, "node_modules/.bin/node"), args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	if folder != "" {
		// A killed Node leaves its temporary files behind.
		temporary := filepath.Join(folder, "tmp")
		if err := os.MkdirAll(temporary, 0o700); err != nil {
			return nil, fmt.Errorf("starting D1: %w", err)
		}
		cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // workerd is a child process
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting D1: %w", err)
	}
	d := &D1{stdin: stdin, cmd: cmd}
	defer context.AfterFunc(ctx, d.kill)()
	var ready struct{ Address string }
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		err = json.Unmarshal([]byte(line), &ready)
	}
	if err == nil && ready.Address == "" {
		err = errors.New("its output has no address")
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("starting D1: %w", errors.Join(err, context.Cause(ctx)))
	}
	d.Address = ready.Address
	return d, nil
}

// Kill ends the database at once, like a crash.
func (d *D1) Kill() {
	d.kill()
	d.cmd.Wait()
	d.stdin.Close()
}

// Close ends the database and workerd.
func (d *D1) Close() {
	d.stdin.Close()
	ended := time.AfterFunc(closeTimeout, d.kill)
	d.cmd.Wait()
	ended.Stop()
	d.kill() // the rest of the process group
}

func (d *D1) kill() { syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL) }
