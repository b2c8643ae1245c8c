package apiv3

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The one algorithm of resources.
const algorithmGCM = "AEAD_AES_256_GCM"

// Limits of a resource, in bytes. WeChat documents 1,048,576 for a ciphertext and
// 16 for associated data.
const (
	maxCiphertext     = 1 << 20
	maxAssociatedData = 256
	maxMessage        = maxCiphertext + 64<<10 // of a callback, and of the list of certificates
	nonceSize         = 12
)

// Resource is an encrypted part of a message (docs/wechat.md 18.5).
type Resource struct {
	Algorithm    string `json:"algorithm"`
	Ciphertext   string `json:"ciphertext"` // base64 of the ciphertext and its tag
	Nonce        string `json:"nonce"`
	OriginalType string `json:"original_type"`
	// AssociatedData is absent, empty or set. Absent and empty are the same.
	AssociatedData string `json:"associated_data"`
}

// apiV3KeyProblem returns the problem of an APIv3 key, "" if there is none.
func apiV3KeyProblem(key string) string {
	switch {
	case key == "":
		return "is missing"
	case strings.Contains(key, "-----"):
		return "is PEM, want 32 letters or digits"
	case key != strings.TrimSpace(key):
		return "begins or ends with a blank"
	case len(key) != 32:
		return fmt.Sprintf("has %d bytes, want 32 letters or digits", len(key))
	}
	for i := range len(key) {
		if c := key[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "want 32 letters or digits"
		}
	}
	return ""
}

// decrypt opens a resource with the first key that fits.
func decrypt(r Resource, keys [][]byte) ([]byte, error) {
	if r.Algorithm != algorithmGCM {
		return nil, fail(Undecryptable, "resource.algorithm", "is not "+algorithmGCM)
	}
	for _, key := range keys {
		text, field, problem := openGCM(key, r.Nonce, r.AssociatedData, r.Ciphertext)
		if problem != "" {
			return nil, fail(Undecryptable, "resource."+field, problem)
		}
		if text != nil {
			return text, nil
		}
	}
	return nil, fail(Undecryptable, "resource.ciphertext", "is not encrypted with the APIv3 key, or not with this associated_data")
}

// openGCM decrypts. The text is nil when the tag is wrong. Go's GCM panics on a
// nonce of another length, so that is checked.
func openGCM(key []byte, nonce, associatedData, ciphertext string) (text []byte, field, problem string) {
	switch {
	case len(nonce) != nonceSize:
		return nil, "nonce", "want 12 bytes"
	case len(associatedData) > maxAssociatedData:
		return nil, "associated_data", "is too long"
	case len(ciphertext) > maxCiphertext:
		return nil, "ciphertext", "is too long"
	}
	// The decoder skips line breaks, which no strict base64 has.
	sealed, err := base64.StdEncoding.Strict().DecodeString(ciphertext)
	if err != nil || strings.ContainsAny(ciphertext, "\r\n") {
		return nil, "ciphertext", "want base64"
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, "", "the APIv3 key cannot be used"
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, "", "the APIv3 key cannot be used"
	}
	text, err = gcm.Open(make([]byte, 0, len(sealed)), []byte(nonce), sealed, []byte(associatedData))
	if err != nil {
		return nil, "", ""
	}
	return text, "", ""
}

// Notification is a callback that was verified and decrypted.
type Notification struct {
	ID           string // the same in each repetition
	CreateTime   time.Time
	EventType    string // TRANSACTION.SUCCESS, REFUND.SUCCESS, REFUND.CLOSED, ...
	OriginalType string // of the resource: transaction, refund, ...
	Resource     Plaintext
	Signature    Signature
}

// Notification verifies a callback, then reads and decrypts it. The caller
// checks the merchant, the appid, the order, the amount and the currency. After an error
// respond with a status of 4xx or 5xx: WeChat repeats the callback.
func (r *Receiver) Notification(ctx context.Context, header Header, body []byte) (Notification, error) {
	if len(body) > maxMessage {
		return Notification{}, fail(Malformed, "body", "is too long")
	}
	signature, err := r.Verify(ctx, header, body)
	if err != nil {
		return Notification{}, err
	}
	var m struct {
		ID           string    `json:"id"`
		CreateTime   string    `json:"create_time"`
		EventType    string    `json:"event_type"`
		ResourceType string    `json:"resource_type"`
		Resource     *Resource `json:"resource"`
	}
	switch {
	case json.Unmarshal(body, &m) != nil:
		return Notification{}, fail(Malformed, "body", "want a JSON object as documented")
	case m.ID == "" || len(m.ID) > 64 || !visible(m.ID):
		return Notification{}, fail(Malformed, "id", "is missing or malformed")
	case m.EventType == "" || len(m.EventType) > 64 || !visible(m.EventType):
		return Notification{}, fail(Malformed, "event_type", "is missing or malformed")
	case m.ResourceType != "encrypt-resource":
		return Notification{}, fail(Malformed, "resource_type", "is not encrypt-resource")
	case m.Resource == nil:
		return Notification{}, fail(Malformed, "resource", "is missing")
	case len(m.Resource.OriginalType) > 64 || !visible(m.Resource.OriginalType):
		return Notification{}, fail(Malformed, "resource.original_type", "is malformed")
	}
	created, err := time.Parse(time.RFC3339, m.CreateTime)
	if err != nil {
		return Notification{}, fail(Malformed, "create_time", "want RFC 3339")
	}
	text, err := r.open(*m.Resource)
	if err != nil {
		return Notification{}, err
	}
	return Notification{
		ID: m.ID, CreateTime: created.UTC(), EventType: m.EventType,
		OriginalType: m.Resource.OriginalType, Resource: newPlaintext(text), Signature: signature,
	}, nil
}

// PlatformCertificate is a certificate of WeChat's list.
type PlatformCertificate struct {
	Key Key
	PEM string // to store, for NewPlatformKey
}

// Certificates reads the response to GET /v3/certificates (docs/wechat.md 18.13), which has the
// status 200; pass others to Response. It replaces no key. The caller stores the certificates,
// makes a KeySet of them and of the public key, if there is one, and calls Replace.
//
// The certificates are read before the signature is verified, because a new certificate of the list
// may have signed this response. A certificate is trusted because only WeChat could encrypt it with
// the APIv3 key. The signature, by one of them or by a key that was known before, proves that the
// list is complete and current.
//
// A merchant with the public key alone has no certificates: the response is a
// Failure with status 404 and the code RESOURCE_NOT_EXISTS.
func (r *Receiver) Certificates(ctx context.Context, header Header, body []byte) ([]PlatformCertificate, error) {
	var m struct {
		Data []struct {
			SerialNo    string    `json:"serial_no"`
			Certificate *Resource `json:"encrypt_certificate"`
		} `json:"data"`
	}
	switch {
	case len(body) > maxMessage:
		return nil, fail(Malformed, "body", "is too long")
	case json.Unmarshal(body, &m) != nil:
		return nil, fail(Malformed, "body", "want a JSON object as documented")
	case len(m.Data) == 0 || len(m.Data) > maxKeys/2:
		return nil, fail(Malformed, "data", fmt.Sprintf("has %d certificates, want 1 to %d", len(m.Data), maxKeys/2))
	}
	var list []PlatformCertificate
	var keys []Key
	for _, d := range m.Data {
		// GCM authenticates associated_data. So no other resource is taken for a certificate, even if a
		// payer chose its content.
		if d.Certificate == nil || d.Certificate.AssociatedData != "certificate" {
			return nil, fail(Malformed, "encrypt_certificate", "is missing, or its associated_data is not certificate")
		}
		text, err := r.open(*d.Certificate)
		if err != nil {
			return nil, err
		}
		key, err := NewPlatformKey(string(text))
		if err != nil {
			return nil, &Error{Kind: Malformed, Field: "encrypt_certificate", Message: "holds no certificate", Err: err}
		}
		if key.ID != serial(d.SerialNo) {
			return nil, fail(Malformed, "serial_no", "is not that of the certificate")
		}
		list = append(list, PlatformCertificate{key, string(text)})
		keys = append(keys, key)
	}
	known := r.Keys()
	for _, k := range known.Keys() {
		if !has(keys, k.ID) && len(keys) < maxKeys {
			keys = append(keys, k)
		}
	}
	set, err := NewKeySet(known.rsa, keys...)
	if err != nil {
		return nil, &Error{Kind: Malformed, Field: "data", Message: "holds a certificate that cannot be used", Err: err}
	}
	if _, err := verify(ctx, set, r.now(), header, body); err != nil {
		return nil, err
	}
	return list, nil
}

func has(keys []Key, id string) bool {
	for _, k := range keys {
		if k.ID == id {
			return true
		}
	}
	return false
}
