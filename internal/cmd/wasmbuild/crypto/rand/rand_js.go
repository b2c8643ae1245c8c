package rand

import (
	"io"
	"syscall/js"
)

// Reader reads from the browser's generator, like the standard package.
var Reader io.Reader = reader{}

type reader struct{}

// maxRead is the most bytes that crypto.getRandomValues returns per call.
const maxRead = 64 << 10

func (reader) Read(b []byte) (int, error) {
	crypto, array := js.Global().Get("crypto"), js.Global().Get("Uint8Array")
	for rest := b; len(rest) > 0; {
		part := array.New(min(len(rest), maxRead))
		crypto.Call("getRandomValues", part)
		rest = rest[js.CopyBytesToGo(rest, part):]
	}
	return len(b), nil
}

// Read fills b from Reader. It never returns an error; without random numbers it ends the program.
func Read(b []byte) (int, error) {
	if _, err := io.ReadFull(Reader, b); err != nil {
		panic("crypto/rand: " + err.Error())
	}
	return len(b), nil
}

// Text returns 26 letters and digits with at least 128 random bits, like the standard package.
func Text() string {
	b := make([]byte, 26)
	Read(b)
	for i, c := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[c%32]
	}
	return string(b)
}
