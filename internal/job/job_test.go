package job_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"h5pay/internal/job"
)

// wrangler.toml has exactly the triggers of the jobs.
func TestTriggersOfWrangler(t *testing.T) {
	b, err := os.ReadFile("../../wrangler.toml")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^crons = (\[.*\])$`).FindSubmatch(b)
	if line == nil {
		t.Fatal("no line crons = [...]")
	}
	var got, want []string
	if err := json.Unmarshal(line[1], &got); err != nil {
		t.Fatal(err)
	}
	for _, j := range job.All() {
		want = append(want, j.Cron())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("crons in wrangler.toml (-want +got):\n%s", diff)
	}
}

func TestEachTriggerStartsOneJob(t *testing.T) {
	seen := map[job.Job]bool{}
	for _, j := range job.All() {
		if seen[j] || j.Cron() == "" || job.ByCron(j.Cron()) != j {
			t.Errorf("%s has the trigger %q, which starts %q", j, j.Cron(), job.ByCron(j.Cron()))
		}
		seen[j] = true
	}
	if j := job.ByCron("0 0 * * *"); j != "" {
		t.Errorf("an unknown trigger starts %s", j)
	}
	if cron := job.Job("").Cron(); cron != "" {
		t.Errorf("no job has the trigger %s", cron)
	}
}
