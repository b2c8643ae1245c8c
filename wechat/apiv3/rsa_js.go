package apiv3

// defaultRSA returns nil: crypto/rsa would cost 82 kB of the Worker, gzipped, and
// most of the CPU of a request. docs/rsa.md has the figures.
func defaultRSA() RSA { return nil }
