package stack

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// ReadEnv reads a settings file in the form of .dev.vars: NAME="value" or
// NAME=value, a line each; lines that begin with # are comments.
func ReadEnv(name string) (map[string]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	env := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			// Not the line itself: it may be half a secret.
			return nil, fmt.Errorf("%s:%d: want NAME=\"value\"", name, n)
		}
		env[strings.TrimSpace(key)] = unquote(strings.TrimSpace(value))
	}
	return env, lines.Err()
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}
