package binary

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"h5pay/internal/cleanup"
	"h5pay/internal/paytest"
)

// command is the built binary.
var command string

func TestMain(m *testing.M) {
	cleanup.Main(func() int {
		dir, err := os.MkdirTemp("", "h5pay-binary-")
		if err == nil {
			command = filepath.Join(dir, "h5pay")
			build := exec.Command("go", "build", "-o", command, "../../signer")
			build.Stderr = os.Stderr
			err = build.Run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "building the command:", err)
			return 1
		}
		return m.Run()
	})
}

// process is a running command.
type process struct {
	cmd    *exec.Cmd
	lines  chan string // of its standard output
	stderr paytest.Log
	ended  chan error
}

// start runs the command in a folder. Its environment has only env. The test's end kills it.
func start(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	return startBinary(t, command, dir, env, args...)
}

func startBinary(t *testing.T, binary, dir string, env []string, args ...string) *process {
	t.Helper()
	return startProcess(t, false, binary, dir, env, args...)
}

// startProcess runs a command. together makes its lines those of both outputs, as a terminal shows them.
func startProcess(t *testing.T, together bool, binary, dir string, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), lines: make(chan string, 1000), ended: make(chan error, 1)}
	// The variable lets package cleanup find the process.
	p.cmd.Dir, p.cmd.Env, p.cmd.Stderr = dir, append([]string{"H5PAY_RUN=" + os.Getenv("H5PAY_RUN")}, env...), &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if together {
		p.cmd.Stderr = p.cmd.Stdout
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for scan := bufio.NewScanner(out); scan.Scan(); {
			p.lines <- scan.Text()
		}
		close(p.lines)
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() {
		if p.cmd.Process.Kill() == nil {
			<-p.ended
		}
	})
	return p
}

// longest is how long a test waits for an effect that should be immediate.
const longest = 30 * time.Second

// waitFor returns the first line of the standard output that contains text.
func (p *process) waitFor(t *testing.T, text string) string {
	t.Helper()
	for timeout := time.After(longest); ; {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the command ended without %q: %s", text, p.stderr.String())
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-timeout:
			t.Fatalf("the command did not print %q: %s", text, p.stderr.String())
		}
	}
}

// wait waits for the end of the command.
func (p *process) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err // for the clean-up
		return err
	case <-time.After(longest):
		t.Fatal("the command does not end")
		return nil
	}
}

// stop ends the command as Ctrl-C does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := p.wait(t); err != nil {
		t.Errorf("the command ended with %v: %s", err, p.stderr.String())
	}
}
