// Command testrun runs a command, for `make test`: testrun COMMAND [ARGUMENT...]
//
// It fails when the command fails, and when the command leaves a process or a
// temporary file. However it ends, nothing of the command stays.
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
	// The command's programs remove their own: what is here is of one that does not.
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
