// Command program does RSA in a Worker in two ways: with Go's crypto/rsa, and with the platform's
// WebCrypto by one message per call.
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"unsafe"
)

// The kinds of message. worker.mjs has the same numbers.
const (
	opAnswer = iota // Go to JavaScript: the result of an event
	opKeys          // an event: the private key in PKCS#8, then the public key
	opNone          // an event: return the message unchanged
	opGoSign
	opGoVerify // the message is signature and text
	opGoImport // parse the private key
	opWebSign
	opWebVerify
	opWebImport
	opReply // JavaScript to Go: the result of a WebCrypto call
)

const signatureSize = 256 // bytes, for a key of 2048 bits

type message struct {
	op   uint32
	body []byte
}

var (
	events  = make(chan message, 1)
	replies = make(chan []byte, 1)
)

func main() {
	var p program
	for m := range events {
		body, err := p.serve(m)
		if err != nil {
			body = append([]byte("error: "), err.Error()...)
		}
		call(opAnswer, body)
	}
}

type program struct {
	pkcs8 []byte
	key   *rsa.PrivateKey
	pub   *rsa.PublicKey
}

func (p *program) serve(m message) ([]byte, error) {
	switch m.op {
	case opKeys:
		size := binary.LittleEndian.Uint32(m.body)
		p.pkcs8 = m.body[4 : 4+size]
		var err error
		if p.key, err = parse(p.pkcs8); err != nil {
			return nil, err
		}
		pub, err := x509.ParsePKIXPublicKey(m.body[4+size:])
		if err != nil {
			return nil, err
		}
		p.pub = pub.(*rsa.PublicKey)
		return nil, nil
	case opNone:
		return m.body, nil
	case opGoSign:
		sum := sha256.Sum256(m.body)
		return rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	case opGoVerify:
		sum := sha256.Sum256(m.body[signatureSize:])
		return []byte("true"), rsa.VerifyPKCS1v15(p.pub, crypto.SHA256, sum[:], m.body[:signatureSize])
	case opGoImport:
		_, err := parse(p.pkcs8)
		return nil, err
	case opWebSign, opWebVerify, opWebImport:
		call(m.op, m.body)
		return <-replies, nil
	}
	return nil, errors.New("unknown operation")
}

func parse(pkcs8 []byte) (*rsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, err
	}
	return key.(*rsa.PrivateKey), nil
}

func call(op uint32, body []byte) {
	send(op, unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)))
}

// receive handles an event or a reply.
//
//go:wasmexport receive
func receive(op, size uint32) {
	m := make([]byte, size)
	take(unsafe.Pointer(unsafe.SliceData(m)))
	if op == opReply {
		replies <- m
	} else {
		events <- message{op, m}
	}
}

var _ = receive // called by JavaScript only

//go:wasmimport bench send
func send(op uint32, p unsafe.Pointer, n uint32)

//go:wasmimport bench take
func take(p unsafe.Pointer)
