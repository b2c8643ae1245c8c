// Command testrun runs a command, for `make test`: testrun COMMAND [ARGUMENT...]
//
// It fails if the command fails or leaves a process or a temporary file. It ends what the command
// left.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"h5pay/internal/cleanup"
)

func main() { cleanup.Main(program) }

func program() int {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: testrun COMMAND [ARGUMENT...]")
		return 2
	}
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	// Programs remove their own temporary files. The rest belongs to a program that does not.
	left, listErr := os.ReadDir(os.TempDir())
	if listErr != nil {
		fmt.Fprintln(os.Stderr, "testrun:", listErr)
		return 1
	}
	for _, entry := range left {
		fmt.Fprintln(os.Stderr, "testrun: the command left the temporary file", filepath.Join(os.TempDir(), entry.Name()))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
		return 1
	}
	return min(len(left), 1)
}
