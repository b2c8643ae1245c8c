package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"h5pay/internal/paytest/campaign"
	"h5pay/internal/stack"
)

// nodeCount is the number of nodes that share PostgreSQL.
const nodeCount = 3

// nodeHeader names the node in its calls to WeChat and to the back end, see
// signer/campaign_other.go.
const nodeHeader = "Campaign-Node"

var errStopped = errors.New("the node was stopped")

// prepareNodes builds the program of the nodes, and makes their clock and their settings. dir is the
// project's root.
func (w *deployment) prepareNodes(ctx context.Context, dir string, vars map[string]string) (err error) {
	if w.binary, err = buildNode(ctx, dir); err != nil {
		return err
	}
	w.closers = append(w.closers, func() { os.RemoveAll(filepath.Dir(w.binary)) })
	w.worker = w.newWorker("node")
	if w.worker.lead, err = os.CreateTemp("", "h5pay-chaos-clock"); err != nil {
		return err
	}
	w.closers = append(w.closers, func() { w.worker.lead.Close(); os.Remove(w.worker.lead.Name()) })
	w.worker.setLead()
	w.closers = append(w.closers, w.worker.close)
	vars["CLIENT_IP_HEADER"] = "CF-Connecting-IP"
	return nil
}

// startNodes starts the nodes, each behind its own proxy to PostgreSQL. dir is the project's root.
func (w *deployment) startNodes(ctx context.Context, dir string, pg *postgresDatabase, vars map[string]string, calm bool) error {
	if err := w.prepareNodes(ctx, dir, vars); err != nil {
		return err
	}
	vars["DATABASE_MB"] = "100000"
	for i := range nodeCount {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		w.closers = append(w.closers, func() { l.Close() })
		skew := int64(i-1) * campaign.MaxSkew.Milliseconds()
		if calm {
			skew = 0
		}
		n := node{deployment: w, binary: w.binary, number: i + 1, database: "DATABASE_URL=postgres://h5pay@" + l.Addr().String() + "/shop?sslmode=disable", skew: skew}
		m := w.worker.add(n.name(), vars, n.launch)
		go pg.proxy(m, l) // ends with the listener
	}
	for _, m := range w.worker.machines {
		if err := m.start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// buildNode builds the server with the campaign's clock.
func buildNode(ctx context.Context, dir string) (file string, err error) {
	folder, err := os.MkdirTemp("", "h5pay-chaos")
	if err != nil {
		return "", err
	}
	file = filepath.Join(folder, "h5pay")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "campaign", "-o", file, "./signer")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building a node: %w: %s", err, out)
	}
	return file, nil
}

// node starts the processes of one node.
type node struct {
	*deployment
	binary   string
	number   int
	database string // the setting that names it
	skew     int64  // ms that its clock is ahead
}

func (n node) name() string { return "node-" + strconv.Itoa(n.number) }

// startTime is how long a node tries to start. PostgreSQL may restart meanwhile.
const startTime = time.Minute

// launch starts a process. Like a supervisor it starts another one if that ends, because the database
// is down or another program has taken the port.
func (n node) launch(ctx context.Context, vars map[string]string) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		p, err := n.launchOnce(ctx, vars)
		if err == nil {
			return p, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (n node) launchOnce(ctx context.Context, vars map[string]string) (*process, error) {
	var addrs [2]string
	for i := range addrs {
		port, err := stack.FreePort()
		if err != nil {
			return nil, err
		}
		addrs[i] = fmt.Sprintf("127.0.0.1:%d", port)
	}
	cmd := exec.Command(n.binary, "serve")
	cmd.Env = os.Environ()
	for name, value := range vars {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, "LISTEN="+addrs[0], n.database,
		"CAMPAIGN_CLOCK="+n.worker.lead.Name(), "CAMPAIGN_SKEW="+strconv.FormatInt(n.skew, 10), "CAMPAIGN_NODE="+n.name(), "CAMPAIGN_EVENTS="+addrs[1])
	output := &lineWriter{to: n.Log}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	p := &process{url: "http://" + addrs[0], events: "http://" + addrs[1], pid: cmd.Process.Pid, close: sync.OnceFunc(func() {
		cmd.Process.Kill()
		<-ended
	})}
	for {
		// The address of the shop is open before the database is. That of events opens after it.
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addrs[1])
		if err == nil {
			return p, c.Close()
		}
		select {
		case <-ctx.Done():
			p.close()
			return nil, ctx.Err()
		case <-ended:
			return nil, fmt.Errorf("%s ended at its start: %s", n.name(), output.last())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// lineWriter passes whole lines on, because several processes share a log.
type lineWriter struct {
	mu   sync.Mutex
	to   io.Writer
	rest []byte
	line []byte // the last one
}

func (l *lineWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	if end := bytes.LastIndexByte(l.rest, '\n') + 1; end > 0 {
		if _, err := l.to.Write(l.rest[:end]); err != nil {
			return 0, err
		}
		l.line = bytes.Clone(l.rest[bytes.LastIndexByte(l.rest[:end-1], '\n')+1 : end-1])
		l.rest = l.rest[end:]
	}
	return len(p), nil
}

func (l *lineWriter) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.line)
}
