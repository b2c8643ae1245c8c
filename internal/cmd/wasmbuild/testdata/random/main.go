// Command random prints ok if crypto/rand works.
package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := check(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func check() error {
	// More than one call of the browser returns, and not a multiple of it.
	b := make([]byte, 200_001)
	if n, err := io.ReadFull(rand.Reader, b); n != len(b) || err != nil {
		return fmt.Errorf("Reader read %d bytes: %v", n, err)
	}
	var counts [256]int
	for _, c := range b[len(b)-100_000:] {
		counts[c]++
	}
	for c, n := range counts {
		if n < 200 || n > 600 { // 391 expected, standard deviation 20
			return fmt.Errorf("%d of 100000 bytes are %d", n, c)
		}
	}
	if n, err := rand.Read(b[:0]); n != 0 || err != nil {
		return fmt.Errorf("Read of nothing read %d bytes: %v", n, err)
	}
	text, other := rand.Text(), rand.Text()
	if len(text) != 26 || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" || text == other {
		return fmt.Errorf("Text returned %q and %q", text, other)
	}
	return nil
}
