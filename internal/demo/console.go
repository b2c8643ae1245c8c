package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// consoleKeyLife is how long a key for the console of a demo is valid.
const consoleKeyLife = 24 * time.Hour

// ConsoleKey makes an API key for the console of a shop on this machine, with every scope, by the
// root token. On one day it is the same key.
func ConsoleKey(ctx context.Context, shopURL, rootToken string) (string, error) {
	body, err := json.Marshal(map[string]any{"name": "console", "scopes": []string{"read", "write", "refund", "admin"}, "expires_in": int(consoleKeyLife / time.Second)})
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, shopURL+"/v1/keys", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+rootToken)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", "console-"+time.Now().UTC().Format(time.DateOnly))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", fmt.Errorf("making a key for the console: %w", err)
	}
	defer res.Body.Close()
	var made struct {
		Key string `json:"key"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&made); err != nil || res.StatusCode != http.StatusCreated {
		return "", fmt.Errorf("making a key for the console: status %d", res.StatusCode)
	}
	if made.Key == "" {
		return "", errors.New("making a key for the console: SESSION_KEY was changed today, so the key cannot be shown again")
	}
	return made.Key, nil
}

// ConsoleText returns lines with the address of the console and the key to sign in with. The shop must serve
// calls, and logs that the key was made. So call it before you print anything that a person needs.
func ConsoleText(ctx context.Context, shopURL, phoneURL, rootToken string) string {
	key, err := ConsoleKey(ctx, shopURL, rootToken)
	if err != nil {
		return fmt.Sprintf("  no key for the console: %v\n\n", err)
	}
	return fmt.Sprintf("  To run the shop, open its console %s/console and sign in with the key\n  %s\n\n", phoneURL, key)
}
