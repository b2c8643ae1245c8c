package v1

import "encoding/json"

// AuditEntry records a call that changed something, and its API key.
type AuditEntry struct {
	Seq     int64  `json:"seq"` // 1 for the first entry, without gaps
	At      int64  `json:"at"`  // Unix ms
	KeyID   string `json:"key_id"`
	KeyName string `json:"key_name,omitempty"`
	Action  string `json:"action"` // the operationId of the call
	Object  string `json:"object,omitempty"`
	// Before and After are the object before and after the call, without secrets.
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	// Unknown means that the call failed or died, and may have changed something.
	Unknown   bool   `json:"unknown,omitempty"`
	RequestID string `json:"request_id,omitempty"` // of the lines in the shop's log
	// Hash is the SHA-256 over the hash of the previous entry and this entry.
	Hash string `json:"hash"`
}

// Audit is a part of the audit list, newest first.
type Audit struct {
	Entries []AuditEntry `json:"entries"`
	Next    string       `json:"next,omitempty"` // absent in the last part
}

// AuditQuery selects a part of the audit list.
type AuditQuery struct{ Page }

// AuditCheckQuery continues a check.
type AuditCheckQuery struct {
	// Cursor is Next of the previous part.
	Cursor string `query:"cursor" minLength:"1" maxLength:"200"`
}

// AuditCheck is the result of a check of the hashes of a part of the list, oldest first.
type AuditCheck struct {
	OK      bool   `json:"ok"`
	Entries int    `json:"entries"`          // that were verified
	Broken  int64  `json:"broken,omitempty"` // the first entry that was changed after it was appended
	Next    string `json:"next,omitempty"`   // absent when nothing is left
	// Hash is the hash of the last entry of the part. The shop's log has it too.
	Hash string `json:"hash,omitempty"`
}

// MaxPhoto is how many bytes a picture may have.
const MaxPhoto = 200_000

// CreatePhoto stores a picture for a product.
type CreatePhoto struct {
	// Data is a JPEG, PNG or WebP of at most 200,000 bytes, in base64.
	Data string `json:"data" required:"true" minLength:"4" maxLength:"266668"`
}

// Photo is a stored picture. The shop removes a picture that no product has shown for a day.
type Photo struct {
	Path string `json:"path"` // for the image of a product: "/photos/..."
}

// TableQuery selects the rows of a table.
type TableQuery struct {
	// From and To are Unix ms: at or after From, and before To.
	From int64 `query:"from" minimum:"0"`
	To   int64 `query:"to" minimum:"0"`
	// Cursor is Next of the previous part.
	Cursor string `query:"cursor" minLength:"1" maxLength:"200"`
}

// Table is a part of a table as a file for Excel or WPS, which is CSV in UTF-8 with a byte order
// mark. Amounts are in yuan, times are of Beijing. Every part has the head.
type Table struct {
	Rows string `json:"rows"`
	N    int    `json:"n"`              // rows without the head
	Next string `json:"next,omitempty"` // absent in the last part
}
