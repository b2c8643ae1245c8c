// Package envfile reads and writes files of settings in the format of .dev.vars.
package envfile

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// settingName matches the name of a setting. The rest of a secret that was wrapped into several lines
// does not match it.
var settingName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// Read reads a settings file in the format of .dev.vars. Each line is NAME="value", NAME=value,
// or a comment after #. An error names the file and the line, and shows nothing of the line.
func Read(name string) (map[string]string, error) {
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
		key = strings.TrimSpace(key)
		if !ok || !settingName.MatchString(key) {
			// Without the line, which may contain part of a secret.
			return nil, fmt.Errorf("%s:%d: want NAME=\"value\"", name, n)
		}
		env[key] = unquote(strings.TrimSpace(value))
	}
	return env, lines.Err()
}

// emptySetting matches a setting without a value in an example. A webhook secret has its prefix.
var emptySetting = regexp.MustCompile(`(?m)^[A-Z_]+="(whsec_)?"$`)

// Write copies the settings of an example file to a new file, see Create.
func Write(example, name, about string) error {
	text, err := os.ReadFile(example)
	if err != nil {
		return err
	}
	return Create(name, about, text)
}

// Create writes example settings to a new file that only the owner can read. Each empty setting
// gets a random value, because a secret in an example is public. The value has 32 hexadecimal
// digits, or after "whsec_" the base64 of 32 bytes. about says in one line or more what wrote the file; it
// replaces the first paragraph of the example, which is about the example. An existing file is kept, and
// the error is fs.ErrExist.
func Create(name, about string, example []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, rest, ok := bytes.Cut(example, []byte("\n#\n")); ok {
		example = fmt.Appendf(nil, "# %s\n#\n%s", strings.ReplaceAll(about, "\n", "\n# "), rest)
	}
	_, err = f.Write(emptySetting.ReplaceAllFunc(example, func(line []byte) []byte {
		secret := randomSecret
		if bytes.HasSuffix(line, []byte(`whsec_"`)) {
			secret = randomKey
		}
		return fmt.Appendf(line[:len(line)-1:len(line)-1], "%s\"", secret())
	}))
	return errors.Join(err, f.Close())
}

// New returns settings as Write writes them.
func New(example string) (map[string]string, error) {
	dir, err := os.MkdirTemp("", "h5pay-env-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "env")
	if err := Write(example, name, "Settings."); err != nil {
		return nil, err
	}
	return Read(name)
}

// randomSecret returns 128 random bits in hexadecimal.
func randomSecret() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// randomKey returns 256 random bits in base64.
func randomKey() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return base64.StdEncoding.EncodeToString(b)
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}
