// Package pgtest starts a PostgreSQL server for tests and measurements, in a folder of its own.
//
// The server listens on a Unix socket only. It ends with the program, however that ends.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// User is the owner of the databases.
const User = "h5pay"

// Server is a running server.
type Server struct {
	dir   string
	bin   string
	extra []string
	owner *syscall.Credential // nil: this user
	keep  *exec.Cmd           // the shell that ends the server
	alive io.Closer           // that shell's standard input
}

// script runs the server until standard input ends. Then it ends the server as if it crashed. It
// removes the folder, unless Stop wants the server to run again. A server that has just begun ignores
// the signal, so that it is sent until the server has ended.
const script = `"$@" >"$LOG" 2>&1 <&- & pid=$!
cat >/dev/null
while kill -QUIT $pid 2>/dev/null; do sleep 0.1; done &
wait $pid
[ -e "$KEEP" ] || rm -rf "$DIR"`

// Start makes an empty server and starts it. settings are those of postgresql.conf, such as
// "fsync=off". The caller calls Close.
func Start(settings ...string) (*Server, error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, extra: settings}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start() error {
	if os.Getuid() == 0 { // PostgreSQL does not run as root
		if err := s.changeOwner(); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	initdb := s.command(filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", User, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s.Run()
}

// find returns the folder with PostgreSQL's programs: of the newest version that is installed.
func find() (string, error) {
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin"} {
		all, _ := filepath.Glob(pattern)
		found = append(found, all...)
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	slices.Reverse(found)
	found = append(found, filepath.SplitList(os.Getenv("PATH"))...)
	for _, dir := range found {
		if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL is missing: run make postgres, or on Debian apt-get install postgresql")
}

// version is the number in the name of a folder.
func version(dir string) (n int) {
	for _, c := range dir {
		if '0' <= c && c <= '9' {
			n = n*10 + int(c-'0')
		}
	}
	return n
}

// changeOwner gives the folder to another user.
func (s *Server) changeOwner() error {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		s.owner = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		// The user has to get through the folders of temporary files.
		for dir := filepath.Dir(s.dir); dir != "/" && dir != "."; dir = filepath.Dir(dir) {
			info, err := os.Stat(dir)
			if err != nil {
				return err
			}
			if info.Mode().Perm()&0o001 == 0 {
				if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
					return err
				}
			}
		}
		return os.Chown(s.dir, uid, gid)
	}
	return errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody")
}

// keepFile is the file that keeps the folder of a server that has stopped.
func (s *Server) keepFile() string { return filepath.Join(s.dir, "keep") }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// command returns a command of the owner of the data.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LOG="+filepath.Join(s.dir, "log"), "DIR="+s.dir, "KEEP="+s.keepFile())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: s.owner}
	return cmd
}

// launch starts the shell that runs the server.
func (s *Server) launch() error {
	args := []string{"-c", script, "sh", filepath.Join(s.bin, "postgres"), "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200"}
	for _, setting := range s.extra {
		args = append(args, "-c", setting)
	}
	cmd := s.command("/bin/sh", args...)
	alive, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.keep, s.alive = cmd, alive
	return nil
}

// Run starts the server again after Stop. It returns when the server takes connections.
func (s *Server) Run() error {
	if err := s.launch(); err != nil {
		return err
	}
	if err := os.RemoveAll(s.keepFile()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := pgconn.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		if ctx.Err() != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("the server takes no connections: %w: %s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop ends the server as if the machine crashed: no transaction ends, and the next start recovers.
func (s *Server) Stop() error {
	if s.keep == nil {
		return nil
	}
	if err := os.WriteFile(s.keepFile(), nil, 0o644); err != nil {
		return err
	}
	s.alive.Close()
	s.keep.Wait()
	s.keep = nil
	return nil
}

// Close stops the server and removes its folder.
func (s *Server) Close() error { return errors.Join(s.Stop(), os.RemoveAll(s.dir)) }

// URL returns the URL of a database.
func (s *Server) URL(name string) string {
	return "postgres://" + User + "@/" + name + "?" + url.Values{"host": {s.dir}}.Encode()
}

// Exec runs statements in a database, outside a transaction if it is one statement.
func (s *Server) Exec(ctx context.Context, name, sql string) error {
	conn, err := pgconn.Connect(ctx, s.URL(name))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql).ReadAll()
	return errors.Join(err, conn.Close(ctx))
}

// Program returns the path of a program of the server's version, such as pg_dump.
func (s *Server) Program(name string) string { return filepath.Join(s.bin, name) }

// Log returns what the server has written so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}
