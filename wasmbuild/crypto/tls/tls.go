// Package tls stands in for crypto/tls where a program cannot make a TLS
// connection of its own: in a browser and in a Worker, where all of HTTP is the
// platform's fetch. net/http needs the package to compile and nothing more.
//
// Command wasmbuild puts it in the place of the real one, which makes up a fifth
// of a program that serves HTTP: it initialises curves, post-quantum key exchange
// and X.509 before main, so the linker cannot leave them out, and its
// ConnectionState, a field of every http.Request, keeps certificates, ASN.1 and
// big numbers.
//
// It declares what net/http of Go 1.26 uses. Anything else does not compile;
// what would make a connection fails with an error.
package tls

import (
	"context"
	"errors"
	"net"
)

var errLeftOut = errors.New("tls: left out of this build, see wasmbuild")

// Versions of the protocol, as in the real package.
const (
	VersionTLS12 = 0x0303
	VersionTLS13 = 0x0304
)

// Config has the fields that net/http reads or sets.
type Config struct {
	Certificates             []Certificate
	GetCertificate           func(*ClientHelloInfo) (*Certificate, error)
	GetConfigForClient       func(*ClientHelloInfo) (*Config, error)
	NextProtos               []string
	ServerName               string
	InsecureSkipVerify       bool
	CipherSuites             []uint16
	PreferServerCipherSuites bool
	MinVersion               uint16
}

// Clone returns a copy of c.
func (c *Config) Clone() *Config {
	if c == nil {
		return nil
	}
	d := *c
	return &d
}

// Certificate is empty here.
type Certificate struct{}

// ClientHelloInfo is empty here.
type ClientHelloInfo struct{}

// ConnectionState has the fields that net/http reads.
type ConnectionState struct {
	Version                    uint16
	HandshakeComplete          bool
	CipherSuite                uint16
	NegotiatedProtocol         string
	NegotiatedProtocolIsMutual bool
	ServerName                 string
}

// Conn is a connection on which nothing can be agreed.
type Conn struct{ net.Conn }

// Client returns a Conn over conn.
func Client(conn net.Conn, _ *Config) *Conn { return &Conn{conn} }

// Server returns a Conn over conn.
func Server(conn net.Conn, _ *Config) *Conn { return &Conn{conn} }

// NetConn returns the connection below.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// ConnectionState returns the state before a handshake.
func (c *Conn) ConnectionState() ConnectionState { return ConnectionState{} }

// HandshakeContext fails.
func (c *Conn) HandshakeContext(context.Context) error { return errLeftOut }

// Handshake fails.
func (c *Conn) Handshake() error { return errLeftOut }

// VerifyHostname fails.
func (c *Conn) VerifyHostname(string) error { return errLeftOut }

// Read fails: nothing in clear passes for something private.
func (c *Conn) Read([]byte) (int, error) { return 0, errLeftOut }

// Write fails.
func (c *Conn) Write([]byte) (int, error) { return 0, errLeftOut }

// NewListener returns a listener whose connections fail.
func NewListener(inner net.Listener, _ *Config) net.Listener { return listener{inner} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &Conn{conn}, nil
}

// LoadX509KeyPair fails.
func LoadX509KeyPair(_, _ string) (Certificate, error) { return Certificate{}, errLeftOut }

// RecordHeaderError is never returned.
type RecordHeaderError struct {
	Msg          string
	RecordHeader [5]byte
	Conn         net.Conn
}

func (e RecordHeaderError) Error() string { return e.Msg }
