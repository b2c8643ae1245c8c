package server

import (
	"encoding/json"
	"slices"
)

// unaudited are the fields of a response that the audit list omits: secrets, personal data,
// and fields that no call changes.
var unaudited = []string{"key", "secret", "token", "url", "payer", "openid", "created_at", "currency", "trade_types", "return_url", "data", "last_used_at"}

// auditJSON returns the fields of a response that are neither lists nor objects, "" for none.
func auditJSON(response any) string {
	text, err := json.Marshal(response)
	var fields map[string]any
	if err != nil || json.Unmarshal(text, &fields) != nil {
		return ""
	}
	kept := map[string]any{}
	for name, value := range fields {
		if slices.Contains(unaudited, name) {
			continue
		}
		switch v := value.(type) {
		case string, float64, bool:
			kept[name] = value
		case []any:
			switch name {
			case "scopes", "deleted":
				kept[name] = v
			case "differences":
				kept[name] = len(v)
			}
		}
	}
	if len(kept) == 0 {
		return ""
	}
	if text, err = json.Marshal(kept); err != nil || len(text) > auditText {
		return `{"too_long":true}`
	}
	return string(text)
}
