package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/simulator/server"
	"h5pay/wechat/wechattest"
)

// Both versions of the document name every flag, environment, fault, forgery and call,
// and have the same tables and commands.
func TestTheDocumentIsCompleteInBothLanguages(t *testing.T) {
	var help bytes.Buffer
	if _, err := parse([]string{"-help"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^  (-[a-z0-9-]+)`).FindAllStringSubmatch(help.String(), -1) {
		names = append(names, "`"+m[1]+"`")
	}
	if len(names) < 20 {
		t.Fatalf("the help has the flags %v", names)
	}
	for _, p := range wechattest.Environments() {
		names = append(names, "`"+string(p.Environment)+"`")
	}
	for _, k := range wechattest.FaultKinds() {
		names = append(names, "`"+k.Kind+"`")
	}
	for _, forge := range append(wechattest.Forgeries(), wechattest.RefundForgeries()...) {
		names = append(names, "`"+forge+"`")
	}
	for _, path := range controlPaths(t) {
		names = append(names, "localhost:8801"+strings.ReplaceAll(path, "{id}", "ID"))
	}

	var shapes [][]string
	for _, name := range []string{"../../docs/simulator.md", "../../docs/simulator.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range names {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not name %s", name, want)
			}
		}
		shapes = append(shapes, shape(string(text)))
	}
	if diff := cmp.Diff(shapes[0], shapes[1]); diff != "" {
		t.Errorf("the documents differ (-English +Chinese):\n%s", diff)
	}
}

// Both versions of the document of APIv3 name its flags, faults, forgeries and control
// calls. They and the simulator's document link to each other.
func TestTheDocumentOfAPIv3IsCompleteInBothLanguages(t *testing.T) {
	names := []string{"`-v3-dir`", "`-v3-mode`", "`-v3-key`", "`v3_dir`", "`signed.string`", "`signed.yours`"}
	for _, k := range wechattest.FaultKinds() {
		if strings.HasPrefix(k.Kind, "v3_") {
			names = append(names, "`"+k.Kind+"`")
		}
	}
	for _, forge := range wechattest.V3RefundForgeries() {
		names = append(names, "`"+forge+"`")
	}
	for _, path := range controlPaths(t) {
		if strings.HasPrefix(path, "/control/v3") {
			names = append(names, "localhost:8801"+path)
		}
	}
	if len(names) < 30 {
		t.Fatalf("%d names", len(names))
	}
	for _, ending := range []string{".md", ".zh-CN.md"} {
		text, err := os.ReadFile("../../docs/simulator-v3" + ending)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(names, "](simulator"+ending+")") {
			if !strings.Contains(string(text), want) {
				t.Errorf("simulator-v3%s does not name %s", ending, want)
			}
		}
		other, err := os.ReadFile("../../docs/simulator" + ending)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(other), "](simulator-v3"+ending+")") {
			t.Errorf("simulator%s has no link to simulator-v3%s", ending, ending)
		}
	}
}

// controlPaths queries a running simulator for the calls of its control API.
func controlPaths(t *testing.T) []string {
	t.Helper()
	res, err := http.Get(server.Start(t, server.Config{}).DeskURL + "/control/info")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var info struct{ API []struct{ Path string } }
	if err := json.NewDecoder(res.Body).Decode(&info); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, call := range info.API {
		paths = append(paths, call.Path)
	}
	return paths
}

// shape returns the parts that the versions of a document have in common. They are the depths of
// its headings, the code in the first cell of each table row, and the commands without their
// remarks.
func shape(text string) []string {
	var lines []string
	code := regexp.MustCompile("`[^`]+`")
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
			lines = append(lines, strings.Fields(line)[0])
		case strings.HasPrefix(line, "|"):
			cells := strings.Split(line, "|")
			lines = append(lines, "row "+strings.Join(code.FindAllString(cells[1], -1), " "))
		case strings.HasPrefix(line, "    "):
			command, _, _ := strings.Cut(line, " # ")
			lines = append(lines, strings.TrimSpace(command))
		}
	}
	return slices.Clip(lines)
}
