package order

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// AuditEntry says who changed what by a call of /v1.
type AuditEntry struct {
	Seq     int64  // 1 for the first entry, without gaps
	ID      string // of the call: the same for a repeated call that changes nothing more
	At      time.Time
	KeyID   string // the API key of the caller, or key.Root
	KeyName string
	Action  string // the name of the route: "putProduct"
	Object  string // what was changed, "" if the call names nothing
	Before  string // JSON, "" for nothing
	After   string // JSON, "" for nothing
	// Unknown says that the call did not report how it ended: it may have changed something.
	Unknown   bool
	RequestID string // of the lines in the log
	Hash      string // Sum with the hash of the entry before
}

// AuditIntent is the intent of a call, which the store keeps before the call changes something.
type AuditIntent struct {
	Intent string
	Entry  AuditEntry
	Began  bool // the store sets it: the intent is stored
	// Repeated says that the list had an entry of the call, so that Entry has another ID. The store
	// sets it.
	Repeated bool
	End      *AuditEnd // the store sets it, or leaves nil: the end of the list by then

	// AfterRefund returns After of the entry from the refund that the call made. If it is not nil, the
	// store appends the entry in the round trip that stores WeChat's acceptance, if it can, and sets
	// Appended.
	AfterRefund func(Refund) string
	Appended    *AuditEntry
}

// AuditEnd is the last entry of the list, the zero one of an empty list.
type AuditEnd struct {
	Seq  int64
	Hash string
}

// Sum returns the hash of the entry, in hex. It covers the hash of the previous entry, so a
// changed, inserted or removed entry breaks the chain.
func (e AuditEntry) Sum(before string) string {
	text, err := json.Marshal([]any{before, e.Seq, e.ID, e.At.UnixMilli(), e.KeyID, e.KeyName, e.Action, e.Object, e.Before, e.After, e.Unknown, e.RequestID})
	if err != nil {
		panic(err) // these types cannot fail
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
