package server

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"h5pay/internal/api"
)

// readQuery passes each parameter of a query to its reader. It rejects unknown, repeated and
// empty parameters. The error names the parameter.
func readQuery(query string, readers map[string]func(string) error) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return reject(api.CodeBadRequest, "the query is malformed")
	}
	for name, all := range values {
		wrong := func(field, message string) error {
			return &api.Error{Code: api.CodeBadRequest, Field: field, Message: message}
		}
		read, ok := readers[name]
		switch {
		case !ok:
			return wrong(shown(name), "unknown query parameter "+quoteName(name))
		case len(all) != 1:
			return wrong(name, name+": is repeated")
		case all[0] == "":
			return wrong(name, name+": is empty")
		}
		if err := read(all[0]); err != nil {
			return wrong(name, name+": "+err.Error())
		}
	}
	return nil
}

func parseMilli(v string) (time.Time, error) {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 || n > 1<<48 {
		return time.Time{}, fmt.Errorf("want Unix milliseconds")
	}
	return time.UnixMilli(n), nil
}

// A cursor names the last entry of a page: lists are ordered by time and ID.
func encodeCursor(t time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(t.UnixMilli(), 10) + " " + id))
}

func decodeCursor(v string) (t time.Time, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(v)
	if err != nil || len(b) > 200 {
		return time.Time{}, "", fmt.Errorf("want the cursor of a response of this list")
	}
	ms, id, ok := strings.Cut(string(b), " ")
	if t, err = parseMilli(ms); err != nil || !ok || id == "" {
		return time.Time{}, "", fmt.Errorf("want the cursor of a response of this list")
	}
	return t, id, nil
}
