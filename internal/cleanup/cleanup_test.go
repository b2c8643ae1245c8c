package cleanup

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// programVariable makes the test binary one of the programs below.
const programVariable = "H5PAY_CLEANUP_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(guardVariable) == "" {
		switch os.Getenv(programVariable) {
		case "":
			// A shell that runs this test in the background ignores SIGINT, and programs inherit
			// that. A signal that is caught here has its default effect in them.
			signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
			os.Exit(m.Run())
		case "parent": // a program without this package, such as `go test`
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), programVariable+"=stay")
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
			fmt.Fprintln(os.Stderr, cmd.Run())
			os.Exit(1)
		}
	}
	Main(program)
}

// program starts processes, creates files, prints the folder and ends as requested.
func program() int {
	how := os.Getenv(programVariable)
	if how == "tidy" {
		if err := exec.Command("true").Run(); err != nil {
			panic(err)
		}
		return 3
	}
	if how == "outer" {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), programVariable+"=stay")
		cmd.Stdout = os.Stdout
		cmd.Run()
		return 0
	}
	// A child process that leaves the process group, and its own child.
	cmd := exec.Command("sh", "-c", "sleep 1000 & wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "left")
	if err != nil {
		panic(err)
	}
	if scratch := os.Getenv("H5PAY_CLEANUP_SCRATCH"); scratch != "" {
		if err := Scratch(scratch, scratch); err != nil {
			panic(err)
		}
	}
	fmt.Println(filepath.Dir(dir))
	switch how {
	case "stay":
		time.Sleep(1000 * time.Second)
	case "exit":
		os.Exit(0)
	case "panic":
		go panic("of a goroutine, as the timeout of go test")
		time.Sleep(1000 * time.Second)
	}
	return 0
}

func TestCleanupAfterEveryKindOfEnd(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{
		"return": 0, "exit": 0, "panic": 0,
		"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM, "SIGKILL": syscall.SIGKILL, "SIGHUP": syscall.SIGHUP, "SIGQUIT": syscall.SIGQUIT,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			how := name
			if sig != 0 {
				how = "stay"
			}
			cmd, dir, stderr := start(t, how)
			if sig != 0 {
				if len(processes(dir)) == 0 {
					t.Fatal("the program started nothing that is found")
				}
				cmd.Process.Signal(sig)
			}
			err := cmd.Wait()
			if name == "return" {
				if err == nil || !strings.Contains(stderr.String(), "sleep 1000") {
					t.Errorf("got %v and %q, want an error that names the process", err, stderr)
				}
			}
			checkGone(t, dir)
		})
	}
}

func TestParentIsKilled(t *testing.T) {
	t.Parallel()
	cmd, dir, _ := start(t, "parent")
	cmd.Process.Kill()
	cmd.Wait()
	checkGone(t, dir)
}

func TestRunWithinARun(t *testing.T) {
	t.Parallel()
	cmd, dir, _ := start(t, "outer")
	outer := filepath.Dir(dir)
	// The inner program, its guard, sh and sleep.
	for deadline := time.Now().Add(grace); len(processes(outer)) < 4; time.Sleep(pause) {
		if time.Now().After(deadline) {
			t.Fatalf("found %v", processes(outer))
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	checkGone(t, outer)
}

func TestCleanProgramKeepsItsStatus(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), programVariable+"=tidy")
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 3 || len(out) > 0 {
		t.Errorf("got %v and %q, want status 3 and nothing printed", err, out)
	}
}

// This test binary does not run under Main, so it must not start processes that may stay.
func TestWithoutMain(t *testing.T) {
	if Check() == nil || Scratch(".", ".") == nil {
		t.Error("Check or Scratch is content without Main")
	}
}

func TestScratchFolder(t *testing.T) {
	t.Parallel()
	for name, used := range map[string]bool{"unused": false, "used by another wrangler": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat("/proc/self/cwd"); err != nil {
				t.Logf("folders of processes cannot be known on this system: %v", err)
				used = true
			}
			scratch, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(scratch, "file")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if used {
				other := exec.Command("sleep", "1000")
				other.Args[0] = "node_modules/.bin/wrangler"
				other.Dir = scratch
				if err := other.Start(); err != nil {
					t.Fatal(err)
				}
				defer other.Wait()
				defer other.Process.Kill()
			}
			cmd, dir, _ := start(t, "stay", "H5PAY_CLEANUP_SCRATCH="+scratch)
			cmd.Process.Kill()
			cmd.Wait()
			checkGone(t, dir)
			if _, err := os.Stat(file); (err == nil) != used {
				t.Errorf("the file: %v", err)
			}
		})
	}
}

// start starts a program and returns the folder that it prints.
func start(t *testing.T, how string, env ...string) (cmd *exec.Cmd, dir string, stderr *bytes.Buffer) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), programVariable+"="+how), env...)
	stderr = new(bytes.Buffer)
	cmd.Stderr = stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { cmd.Process.Kill() })
	if _, err := fmt.Fscan(r, &dir); err != nil {
		t.Fatalf("the program did not say its folder: %v, %s", err, stderr)
	}
	return cmd, dir, stderr
}

// checkGone checks that no process and no file of a run is left.
func checkGone(t *testing.T, dir string) {
	t.Helper()
	deadline := time.Now().Add(6 * grace)
	for {
		left := waitForExit(dir, 0)
		_, err := os.Stat(dir)
		if len(left) == 0 && os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left: %v; the folder: %v", left, err)
		}
		time.Sleep(pause)
	}
}
