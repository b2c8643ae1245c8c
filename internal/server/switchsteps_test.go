package server_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// The sections of the runbook that the operator follows.
var movingSections = map[string]string{
	"../../docs/runbook.md":       "## Moving to another database\n",
	"../../docs/runbook.zh-CN.md": "## 换一个数据库\n",
}

// movingSteps are how the steps of those sections begin, in both languages. mover.to does them in
// this order. e2e/binary runs the commands in them.
var movingSteps = [][2]string{
	{"Rehearse it while the shop runs", "商店运行时先演练"},
	{"Make the new database", "建好新数据库"},
	{"Stop every server of the shop", "停掉商店的所有服务器"},
	{"Export", "导出"},
	{"Import", "导入"},
	{"Check the new database", "检查新数据库"},
	{"Start the shop with the new settings", "用新配置启动商店"},
	{"Look at", "查看"},
}

// The steps of the runbook are those of mover.to, in both languages.
func TestRunbookHasTheStepsOfTheSwitch(t *testing.T) {
	t.Parallel()
	for file, heading := range movingSections {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, section, ok := strings.Cut(string(text), heading)
		if !ok {
			t.Fatalf("%s has no section %q", file, heading)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		items := regexp.MustCompile(`(?m)^\d+\. (.*)$`).FindAllStringSubmatch(section, -1)
		if len(items) != len(movingSteps) {
			t.Errorf("%s has %d steps, the test %d", file, len(items), len(movingSteps))
			continue
		}
		language := 0
		if strings.HasSuffix(file, "zh-CN.md") {
			language = 1
		}
		for i, item := range items {
			if !strings.HasPrefix(item[1], movingSteps[i][language]) {
				t.Errorf("%s, step %d is %q, want %q", file, i+1, item[1], movingSteps[i][language])
			}
		}
	}
}
