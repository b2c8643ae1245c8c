package rand

import (
	"io"
	"syscall/js"
)

// Reader reads from the browser's own generator, like that of the real package.
var Reader io.Reader = reader{}

type reader struct{}

// maxRead is the most that crypto.getRandomValues gives at once, in bytes.
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

// Read fills b from Reader. It never returns an error; without random numbers
// the program ends.
func Read(b []byte) (int, error) {
	if _, err := io.ReadFull(Reader, b); err != nil {
		panic("crypto/rand: " + err.Error())
	}
	return len(b), nil
}

// Text returns 26 letters and digits, like that of the real package: at least
// 128 random bits.
func Text() string {
	b := make([]byte, 26)
	Read(b)
	for i, c := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[c%32]
	}
	return string(b)
}
