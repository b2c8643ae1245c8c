package h5pay

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// writtenFile finds the files that commands in the documents write or want: keys,
// certificates, databases, dumps and exports.
var writtenFile = regexp.MustCompile(`[\w./~$"-]*[\w-]\.(?:pem|key|p12|pfx|db|sqlite|sql|csv)\b|(?:--output|-cert-dir) +([\w./~$"-]+)`)

// A user who follows the documents must not commit a key or data of a customer.
func TestFilesOfTheDocumentsAreIgnored(t *testing.T) {
	documents := documentFiles(t)
	names := map[string]string{ // by document
		".dev.vars": "README.md", ".dev.vars.production": "wrangler", ".env": "README.md", ".env.local": "wrangler",
		"h5pay.db-wal": "SQLite", "h5pay.db-shm": "SQLite", "copy.db-journal": "SQLite",
	}
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range writtenFile.FindAllStringSubmatch(string(text), -1) {
			name := strings.Trim(m[0], `"`)
			if m[1] != "" {
				name = strings.Trim(m[1], `"`)
			}
			if strings.ContainsAny(name, "~$") || strings.HasPrefix(name, "/") {
				continue // outside the repository
			}
			names[name] = document
		}
	}
	for _, known := range []string{"apiclient_key.pem", "merchant-cert", "h5pay.db"} {
		if names[known] == "" {
			t.Errorf("the documents name %s, and the test does not find it", known)
		}
	}
	for name, document := range names {
		if exec.Command("git", "ls-files", "--error-unmatch", name).Run() == nil {
			continue // part of the project
		}
		// A folder is ignored by its name with a slash.
		if exec.Command("git", "check-ignore", "-q", "--no-index", name).Run() != nil &&
			exec.Command("git", "check-ignore", "-q", "--no-index", name+"/").Run() != nil {
			t.Errorf("%s has people make %s, which .gitignore does not name", document, name)
		}
	}
}

func TestNoFileOfTheProjectIsIgnored(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "--cached", "--ignored", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) > 0 {
		t.Errorf("committed and ignored:\n%s", out)
	}
}

// documentFiles returns the Markdown files of the project.
func documentFiles(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}
