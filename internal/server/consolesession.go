package server

import (
	"net/http"
	"time"

	"h5pay/internal/api"
	"h5pay/internal/key"
	"h5pay/internal/v1"
)

// consoleSession is the content of the console's cookie. The API key itself is not in it.
type consoleSession struct {
	KeyID    string `json:"key_id"`
	SignOuts int64  `json:"sign_outs"` // of the key, when the session began
	Expires  int64  `json:"expires"`   // Unix ms
}

// problem returns why a request may not use the session: the key ended, every session was ended, or
// a page of another site may have made the call. found reports whether the database has the key,
// which record then describes.
func (c consoleSession) problem(r *http.Request, record key.Record, found bool, now time.Time) error {
	switch {
	case !found || record.SignOuts != c.SignOuts:
		return &v1.Error{Code: api.CodeUnauthenticated, Message: "the session was ended: sign in again"}
	case record.Ended(now) != "":
		return &v1.Error{Code: api.CodeUnauthenticated, Message: "the API key of the session is " + record.Ended(now)}
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get(v1.HeaderConsole) == "":
		return &v1.Error{Code: api.CodeForbiddenOrigin, Message: "a call of the console needs the header " + v1.HeaderConsole}
	}
	return nil
}
