// Package cleanup ends the processes that a program started and removes its temporary files. It
// works however the program ends: normally, by os.Exit, by a panic, by a signal or by SIGKILL.
//
// Main creates a folder for temporary files and sets TMPDIR to it. An environment variable with the
// folder's path identifies all processes that the program starts. A second process, the guard,
// holds a pipe to the program. When the program ends, the pipe closes. The guard then kills the
// remaining processes and removes the folder.
package cleanup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// runVariable is the environment variable with the folder's path. A run inside another run has
	// its folder inside the outer one.
	runVariable = "H5PAY_RUN"
	// guardVariable makes the program the guard of the named folder.
	guardVariable = "H5PAY_GUARD"
	// scratchFile lists the folders of Scratch, one per line.
	scratchFile = ".scratch"

	// grace is the time that processes get to end after the program has ended them. In CI they
	// share two slow cores.
	grace = 10 * time.Second
	pause = 50 * time.Millisecond
)

// Main runs a program and exits with its status. Call it from main or TestMain, and nothing else.
// It removes temporary files. If processes are left, Main prints their names, ends them, and exits
// with a non-zero status.
func Main(run func() int) {
	if dir := os.Getenv(guardVariable); dir != "" {
		guard(dir, os.Stdin)
		os.Exit(0)
	}
	r, err := begin()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cleanup:", err)
		os.Exit(1)
	}
	code := run()
	left := r.leftoverProcesses()
	if err := r.end(); err != nil {
		left = append(left, err.Error())
	}
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "cleanup: the program left these processes:\n  %s\n", strings.Join(left, "\n  "))
		code = max(code, 1)
	}
	os.Exit(code)
}

// active reports whether Main runs this program.
var active atomic.Bool

// Check returns an error unless Main runs this program. Call it before you start a process that may
// outlive the program.
func Check() error {
	if !active.Load() {
		return errors.New("this program does not run under cleanup.Main, so its processes might stay")
	}
	return nil
}

// Scratch also removes the entries of a folder at the end. Wrangler uses that folder when it runs
// in tree. While another wrangler runs there, the entries stay.
func Scratch(tree, dir string) error {
	if err := Check(); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(os.Getenv(runVariable), scratchFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s\t%s\n", tree, dir)
	return errors.Join(err, f.Close())
}

// A run is the time from begin to end.
type run struct {
	dir   string
	guard *exec.Cmd
	alive io.Closer // the pipe to the guard
}

func begin() (*run, error) {
	dir, err := os.MkdirTemp("", "h5-") // short, because socket paths may have at most 104 bytes
	if err != nil {
		return nil, err
	}
	// /tmp is a link on macOS.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// The guard gets the variable of the surrounding run, not of this one. Otherwise it would kill
	// itself.
	cmd := exec.Command(self)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), guardVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no Ctrl-C from a terminal
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the guard: %w", err)
	}
	r := &run{dir: dir, guard: cmd, alive: alive}
	for name, value := range map[string]string{runVariable: dir, "TMPDIR": dir} {
		if err := os.Setenv(name, value); err != nil {
			return nil, errors.Join(err, r.end())
		}
	}
	go endWithParent()
	active.Store(true)
	return r, nil
}

// endWithParent ends the program when its parent is gone: `go test`, make or a shell, which would
// have ended it.
func endWithParent() {
	for parent := os.Getppid(); os.Getppid() == parent; {
		time.Sleep(10 * pause)
	}
	fmt.Fprintln(os.Stderr, "cleanup: the parent process has ended, so this one ends")
	os.Exit(1)
}

// leftoverProcesses names the processes that do not end.
func (r *run) leftoverProcesses() []string {
	var left []string
	for _, p := range waitForExit(r.dir, grace) {
		left = append(left, fmt.Sprintf("process %d: %.200s", p.pid, p.command))
	}
	return left
}

// end makes the guard remove the remaining processes and files, and waits for it.
func (r *run) end() error {
	r.alive.Close()
	if err := r.guard.Wait(); err != nil {
		return fmt.Errorf("the guard: %w", err)
	}
	return nil
}

// guard waits until the program ends and then removes what it left.
func guard(dir string, alive io.Reader) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	io.Copy(io.Discard, alive)
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(pause) {
		found := processes(dir)
		if len(found) == 0 {
			break
		}
		for _, p := range found {
			syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
	scratch, _ := os.ReadFile(filepath.Join(dir, scratchFile))
	for line := range strings.Lines(string(scratch)) {
		tree, folder, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		emptyUnused(tree, folder)
	}
	// A process that was killed during a system call may still create a file.
	for deadline := time.Now().Add(grace); time.Now().Before(deadline); time.Sleep(pause) {
		if err := os.RemoveAll(dir); err == nil {
			break
		}
	}
}

// process is a running process of a run.
type process struct {
	pid     int
	command string
}

// waitForExit waits until the run has no processes. It returns those that are left after the
// timeout.
func waitForExit(dir string, timeout time.Duration) []process {
	deadline := time.Now().Add(timeout)
	for {
		found := processes(dir)
		if len(found) == 0 || time.Now().After(deadline) {
			return found
		}
		time.Sleep(pause)
	}
}

// processes returns the processes with the variable of the run or of a run inside it, and all their
// descendants. Chromium overwrites the environment of some of its processes.
func processes(dir string) []process {
	all := listMachine()
	in := map[int]bool{}
	for _, p := range all {
		in[p.pid] = p.run == dir || strings.HasPrefix(p.run, dir+"/")
	}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if !in[p.pid] && in[p.parent] {
				in[p.pid], grown = true, true
			}
		}
	}
	var found []process
	for _, p := range all {
		if in[p.pid] && p.pid != os.Getpid() {
			found = append(found, process{p.pid, p.command})
		}
	}
	return found
}

// entry is a process of the machine.
type entry struct {
	pid, parent  int
	run          string // value of runVariable
	dir, command string // working folder, "" if unknown
}

// listMachine returns the running processes that this user may inspect.
func listMachine() []entry {
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		return listProcesses()
	}
	var all []entry
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(name + "/stat")
		if err != nil {
			continue
		}
		// The name in parentheses may contain spaces; the state and the parent follow.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
			continue // the process ended
		}
		e := entry{pid: pid}
		e.parent, _ = strconv.Atoi(fields[1])
		environ, _ := os.ReadFile(name + "/environ")
		for variable := range strings.SplitSeq(string(environ), "\x00") {
			if value, ok := strings.CutPrefix(variable, runVariable+"="); ok {
				e.run = value
			}
		}
		command, _ := os.ReadFile(name + "/cmdline")
		e.command = strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))
		e.dir, _ = os.Readlink(name + "/cwd")
		all = append(all, e)
	}
	return all
}

// listProcesses is listMachine for systems without /proc, such as macOS. Their ps prints the
// environment after the command.
func listProcesses() []entry {
	out, _ := exec.Command("ps", "-axwwE", "-o", "pid=,ppid=,stat=,command=").Output()
	var all []entry
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.HasPrefix(fields[2], "Z") {
			continue
		}
		var e entry
		e.pid, _ = strconv.Atoi(fields[0])
		e.parent, _ = strconv.Atoi(fields[1])
		e.command = strings.Join(fields[3:], " ")
		for _, field := range fields[3:] {
			if value, ok := strings.CutPrefix(field, runVariable+"="); ok {
				e.run = value
			}
		}
		all = append(all, e)
	}
	return all
}

// emptyUnused removes the entries of folder unless a wrangler runs in tree.
func emptyUnused(tree, folder string) {
	all := listMachine()
	if !slices.ContainsFunc(all, func(e entry) bool { return e.dir != "" }) {
		return // the working folders of processes are unknown
	}
	if slices.ContainsFunc(all, func(e entry) bool {
		return e.dir == tree && (strings.Contains(e.command, ".bin/wrangler") || strings.Contains(e.command, "wrangler-dist"))
	}) {
		return
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	for _, e := range entries {
		os.RemoveAll(filepath.Join(folder, e.Name()))
	}
}
