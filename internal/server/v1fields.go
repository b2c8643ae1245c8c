package server

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"h5pay/internal/alphabet"
	"h5pay/internal/order"
	"h5pay/internal/v1"
)

// fieldError returns an error that names the field, if err is about a field of the request.
func fieldError(err error) error {
	if wrong := (*order.FieldError)(nil); errors.As(err, &wrong) {
		return wrongField(wrong.Field, wrong.Problem)
	}
	return err
}

// encodeMetadata returns metadata as it is stored: a JSON object, "" for none.
func encodeMetadata(metadata map[string]string) (string, error) {
	for key, value := range metadata {
		switch {
		case !alphabet.Visible.Valid(key, 1, v1.MaxMetadataKey) || strings.ContainsAny(key, `:"\`):
			return "", wrongField("metadata", "want keys of 1 to 40 visible ASCII characters without ':', '\"' and '\\'")
		case utf8.RuneCountInString(value) > v1.MaxMetadataValue || !v1.OneLine(value):
			return "", wrongField("metadata."+key, "want text of at most 500 characters without control characters")
		}
	}
	if len(metadata) == 0 {
		return "", nil
	}
	text, err := json.Marshal(metadata)
	return string(text), err
}
