// Package tls replaces crypto/tls in browsers and Workers, where the platform's fetch does all of
// HTTP. net/http needs the package only to compile.
//
// The standard package is a fifth of a program that serves HTTP. It initialises curves,
// post-quantum key exchange and X.509 before main, so the linker cannot omit them. Its
// ConnectionState is a field of every http.Request and keeps certificates, ASN.1 and big numbers.
//
// It declares what net/http of Go 1.26 uses; other uses do not compile. Functions that would make a
// connection return an error.
package tls

import (
	"context"
	"errors"
	"net"
)

var errOmitted = errors.New("tls: omitted from this build, see wasmbuild")

// The protocol versions, as in the standard package.
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

// Conn is a connection whose handshake fails.
type Conn struct{ net.Conn }

// Client returns a Conn on conn.
func Client(conn net.Conn, _ *Config) *Conn { return &Conn{conn} }

// Server returns a Conn on conn.
func Server(conn net.Conn, _ *Config) *Conn { return &Conn{conn} }

// NetConn returns the underlying connection.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// ConnectionState returns the state before a handshake.
func (c *Conn) ConnectionState() ConnectionState { return ConnectionState{} }

// HandshakeContext returns an error.
func (c *Conn) HandshakeContext(context.Context) error { return errOmitted }

// Handshake returns an error.
func (c *Conn) Handshake() error { return errOmitted }

// VerifyHostname returns an error.
func (c *Conn) VerifyHostname(string) error { return errOmitted }

// Read returns an error, so that no plain text passes for encrypted data.
func (c *Conn) Read([]byte) (int, error) { return 0, errOmitted }

// Write returns an error.
func (c *Conn) Write([]byte) (int, error) { return 0, errOmitted }

// NewListener returns a listener whose connections return errors.
func NewListener(inner net.Listener, _ *Config) net.Listener { return listener{inner} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &Conn{conn}, nil
}

// LoadX509KeyPair returns an error.
func LoadX509KeyPair(_, _ string) (Certificate, error) { return Certificate{}, errOmitted }

// RecordHeaderError is never returned.
type RecordHeaderError struct {
	Msg          string
	RecordHeader [5]byte
	Conn         net.Conn
}

func (e RecordHeaderError) Error() string { return e.Msg }
