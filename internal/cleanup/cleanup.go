// Package cleanup ends what a program started and removes its temporary files,
// however the program ends: by itself, by os.Exit, a panic, a signal or SIGKILL.
//
// Main gives the program a folder for temporary files and sets TMPDIR to it. All
// processes that the program starts inherit the variable of the folder's path, by
// which they are found. A second process, the guard, holds a pipe to the program.
// The pipe ends with the program; then the guard kills what is left of the
// processes and removes the folder.
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
	// runVariable holds the path of the folder, in the environment of every
	// process of the run. A run within a run has its folder in the outer one.
	runVariable = "H5PAY_RUN"
	// guardVariable makes the program the guard of the folder that it names.
	guardVariable = "H5PAY_GUARD"
	// scratchFile lists the folders of Scratch, one a line.
	scratchFile = ".scratch"

	// grace is how long processes may take to end by themselves after the program
	// has ended them. They share two slow cores in CI.
	grace = 10 * time.Second
	pause = 50 * time.Millisecond
)

// Main runs a program and exits with its status. It is all that the function
// main or TestMain does. Temporary files are removed. When processes are left, Main
// names them, ends them, and the status is not 0.
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
		fmt.Fprintf(os.Stderr, "cleanup: the program left:\n  %s\n", strings.Join(left, "\n  "))
		code = max(code, 1)
	}
	os.Exit(code)
}

// active is whether Main runs this program.
var active atomic.Bool

// Check returns an error unless Main runs this program. Whoever starts a process
// that may outlive the program calls it first.
func Check() error {
	if !active.Load() {
		return errors.New("cleanup.Main does not run this program, so nobody would end its processes")
	}
	return nil
}

// Scratch has the entries of a folder removed at the end, too. Wrangler uses the
// folder when it runs in the folder tree: while another wrangler runs there, the
// entries stay.
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
	dir, err := os.MkdirTemp("", "h5-") // short: paths of sockets may have 104 bytes
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
	// The guard does not have the variable of this run, which would make it kill
	// itself, but that of the run around it.
	cmd := exec.Command(self)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), guardVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no Ctrl-C of a terminal
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

// endWithParent ends the program when its parent has been killed: `go test`, make
// or a shell, which would have ended it.
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

// end has the guard remove what is left, and waits for it.
func (r *run) end() error {
	r.alive.Close()
	if err := r.guard.Wait(); err != nil {
		return fmt.Errorf("the guard: %w", err)
	}
	return nil
}

// guard waits until the program is gone, then removes what it left.
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
	// A process that was killed in the middle of a call may still make a file.
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

// waitForExit waits until no process of the run is left, and returns those that are.
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

// processes returns the processes that have the variable of the run, or of a run
// within it, and all their descendants. Chromium, for one, overwrites the
// environment of some of its processes.
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
	dir, command string // working folder, "" where it cannot be known
}

// listMachine returns the running processes that this user may look at.
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
		// The name in parentheses may hold spaces; the state and the parent follow.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
			continue // ended
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

// listProcesses is snapshot for systems without /proc, such as macOS, whose ps
// shows the environment after the command.
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

// emptyUnused removes what is in folder, unless a wrangler runs in tree.
func emptyUnused(tree, folder string) {
	all := listMachine()
	if !slices.ContainsFunc(all, func(e entry) bool { return e.dir != "" }) {
		return // where processes run cannot be known
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
