// Package apiv3 is the cryptography and the message format of WeChat Pay's API version 3. It reads
// keys as merchants paste them, and signs requests and pay parameters. It verifies responses and
// callbacks, decrypts their resources, and reads the body of an error.
//
// It is pure computation. It sends nothing, reads no environment and keeps no
// state outside of its values, which are safe for concurrent use.
//
// Key material and secrets appear in no error and in no printed value.
//
// # Trust
//
// Trust a response with status 2xx and a callback only if their signature verifies. Trust all of an
// error response if its signature verifies. WeChat does not sign every error: a 401, an unknown
// path (404, empty), a wrong method (405, empty) and the pages of gateways have no signature. Such
// a response, and one whose signature does not verify, only means that this call failed. Its
// [Failure] has no Code, and its text is for the log. No state of an order or a refund may follow
// from it.
//
// Bill files are not signed either. Their hash is in a signed response.
//
// # RSA
//
// The package does RSA through the interface [RSA]. Natively the standard library does it. A
// WebAssembly program must provide its platform's: for a signature crypto/rsa takes ten times the
// CPU of WebCrypto there. crypto/x509 is large, so this package has a small reader of DER.
package apiv3

// Scheme is the authentication scheme of a request, and the
// Wechatpay-Signature-Type of a message: RSASSA-PKCS1-v1_5 with SHA-256. A key may
// be longer than 2048 bits.
const Scheme = "WECHATPAY2-SHA256-RSA2048"

// The headers of APIv3.
const (
	HeaderAuthorization = "Authorization"
	// HeaderSerial names a key of WeChat's: in a message the one that signed it,
	// in a request the one that shall sign the response.
	HeaderSerial        = "Wechatpay-Serial"
	HeaderTimestamp     = "Wechatpay-Timestamp"
	HeaderNonce         = "Wechatpay-Nonce"
	HeaderSignature     = "Wechatpay-Signature"
	HeaderSignatureType = "Wechatpay-Signature-Type"
	HeaderRequestID     = "Request-ID"
)

// Header returns the value of a header, "" when it is absent. The name's case
// does not matter. The method Get of an http.Header is one.
type Header func(name string) string
