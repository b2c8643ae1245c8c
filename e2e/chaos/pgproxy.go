package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"h5pay/internal/paytest/campaign"
)

// proxy forwards the connections of a node to PostgreSQL, with the armed failures.
func (p *postgresDatabase) proxy(m *machine, l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		go p.connect(m, client)
	}
}

func (p *postgresDatabase) connect(m *machine, client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.socket)
	if err != nil { // it is down
		m.allow()
		return
	}
	defer server.Close()
	in := bufio.NewReader(client)
	first, err := readStartup(in)
	if err != nil {
		return
	}
	if _, err := server.Write(first); err != nil {
		m.allow()
		return
	}
	k := &link{postgresDatabase: p, machine: m, client: client, server: server, statements: map[string]string{}, answers: make(chan []byte), ended: make(chan struct{})}
	go k.responses()
	k.calls(in)
	k.closing.Store(true)
}

// link is a connection of a node to PostgreSQL. The node sends a call, which is some messages up to
// Sync, and waits for the answer, which ends with ReadyForQuery.
type link struct {
	*postgresDatabase
	machine        *machine
	client, server net.Conn
	statements     map[string]string // SQL by the names of prepared statements
	closing        atomic.Bool       // the node, or a failure, ends the connection
	hold           atomic.Bool       // the next answer goes to answers
	answers        chan []byte
	ended          chan struct{} // closed when PostgreSQL has ended the connection
}

// readStartup reads the first message of a connection, which has no type.
func readStartup(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 8 || n > 1<<16 {
		return nil, fmt.Errorf("the first message has an impossible length of %d bytes", n)
	}
	all := make([]byte, n)
	copy(all, size[:])
	_, err := io.ReadFull(r, all[4:])
	return all, err
}

// message is a message of PostgreSQL's protocol: its type, its length in four bytes, its body.
type message []byte

func (m message) body() []byte { return m[5:] }

func readMessage(r io.Reader) (message, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > 1<<30 {
		return nil, fmt.Errorf("a message has an impossible length of %d bytes", n)
	}
	all := make(message, 1+n)
	copy(all, head[:])
	_, err := io.ReadFull(r, all[5:])
	return all, err
}

// readCall reads the messages of a node up to the one that wants an answer.
func readCall(r io.Reader) (call []message, err error) {
	for {
		m, err := readMessage(r)
		if err != nil {
			return nil, err
		}
		call = append(call, m)
		switch m[0] {
		case 'S', 'Q', 'X', 'H': // Sync, Query, Terminate, Flush
			return call, nil
		}
	}
}

// calls forwards the calls of the node until the connection ends.
func (k *link) calls(in io.Reader) {
	for {
		call, err := readCall(in)
		if err != nil {
			return
		}
		var all []byte
		for _, m := range call {
			all = append(all, m...)
		}
		name, err := k.name(call)
		if err != nil {
			k.Note(campaign.Wrong, "", "reading what a node sends to PostgreSQL: %v", err)
			return
		}
		f, hit := campaign.Failure{}, false
		if name != "" {
			f, hit = k.Failures.Next(campaign.AtDatabase, name)
		}
		switch {
		case !hit:
			if !k.send(all) {
				return
			}
		case f.Done:
			k.hold.Store(true)
			if !k.send(all) {
				return
			}
			select {
			case answer := <-k.answers:
				if !k.after(f, answer) {
					return
				}
			case <-k.ended:
				return
			}
		default:
			if !k.before(f, all) {
				return
			}
		}
	}
}

// before makes a failure before a call takes effect. It reports whether the connection continues.
func (k *link) before(f campaign.Failure, call []byte) bool {
	switch f.Kind {
	case campaign.Kill:
		k.closing.Store(true)
		k.machine.kill()
		return false
	case campaign.Restart: // while it works
		k.server.Write(call)
		k.postgresDatabase.kill()
		return false
	case campaign.Cut:
		k.closing.Store(true)
		k.machine.allow()
		return false
	case campaign.Fail:
		k.machine.allow()
		_, err := k.client.Write(declined(idle))
		return err == nil
	case campaign.Freeze:
		k.machine.freeze(f.Wait)
		k.machine.awaitThaw()
	case campaign.Slow:
		time.Sleep(f.Wait)
	}
	return k.send(call)
}

// send sends a call to PostgreSQL. It reports false if PostgreSQL has ended the connection, which
// explains the failure of the request, also if responses has not read the end yet.
func (k *link) send(call []byte) bool {
	if _, err := k.server.Write(call); err != nil {
		k.machine.allow()
		return false
	}
	return true
}

// after makes a failure after a call took effect. It reports whether the connection continues.
func (k *link) after(f campaign.Failure, answer []byte) bool {
	switch f.Kind {
	case campaign.Kill:
		k.closing.Store(true)
		k.machine.kill()
		return false
	case campaign.Restart:
		k.closing.Store(true)
		k.postgresDatabase.kill()
		return false
	case campaign.Cut:
		k.closing.Store(true)
		k.machine.allow()
		return false
	case campaign.Fail:
		k.machine.allow()
		answer = declined(answer[len(answer)-1])
	case campaign.Freeze:
		k.machine.freeze(f.Wait)
	case campaign.Slow:
		time.Sleep(f.Wait)
	}
	_, err := k.client.Write(answer)
	return err == nil
}

// idle is the status of a connection without a transaction.
const idle = 'I'

// declined is an answer of PostgreSQL with an error, and with the status of the connection. A call
// that took effect and failed leaves its transaction open.
func declined(status byte) []byte {
	e := pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "XX000", Message: "made by the campaign"}
	b, err := e.Encode(nil)
	if err == nil {
		b, err = (&pgproto3.ReadyForQuery{TxStatus: status}).Encode(b)
	}
	if err != nil {
		panic("chaos: " + err.Error()) // short texts can be encoded
	}
	return b
}

// responses forwards what PostgreSQL sends.
func (k *link) responses() {
	defer close(k.ended)
	defer k.client.Close()
	in, out := bufio.NewReader(k.server), bufio.NewWriter(k.client)
	var held []byte
	for {
		m, err := readMessage(in)
		if err != nil {
			if !k.closing.Load() {
				k.machine.allow()
			}
			return
		}
		if k.hold.Load() {
			if held = append(held, m...); m[0] == 'Z' {
				k.hold.Store(false)
				k.answers <- held
				held = nil
			}
			continue
		}
		out.Write(m)
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

// name names the statement of a call, as nameStatement does. It is "" for a call that only prepares
// one, or ends the connection.
func (k *link) name(call []message) (string, error) {
	name := ""
	for _, m := range call {
		switch m[0] {
		case 'P':
			var p pgproto3.Parse
			if err := p.Decode(m.body()); err != nil {
				return "", err
			}
			k.statements[p.Name] = p.Query
		case 'B':
			var b pgproto3.Bind
			if err := b.Decode(m.body()); err != nil {
				return "", err
			}
			sql := k.statements[b.PreparedStatement]
			if isFrame(sql) {
				continue
			}
			name = statementName(sql, func(n int) string {
				if n < len(b.Parameters) {
					return string(b.Parameters[n])
				}
				return ""
			})
		case 'Q':
			name = "another statement"
		}
	}
	return name, nil
}

// isFrame reports whether a statement only encloses another one in a transaction.
func isFrame(sql string) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	switch first {
	case "BEGIN", "COMMIT", "ROLLBACK", "LOCK":
		return true
	}
	return false
}

// number reads a placeholder's number, counted from 0.
func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n - 1
}
