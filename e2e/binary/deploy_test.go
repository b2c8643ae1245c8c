package binary

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v4"
)

// expressions returns the queries of the alert rules and of the dashboard, by where they are.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	text, err := os.ReadFile("../../deploy/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&rules); err != nil {
		t.Fatalf("deploy/alerts.yaml: %v", err)
	}
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			found["alert "+rule.Alert] = rule.Expr
			if _, err := model.ParseDuration(orZero(rule.For)); err != nil {
				t.Errorf("alert %s: %v", rule.Alert, err)
			}
			if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" {
				t.Errorf("alert %s has no severity or no summary", rule.Alert)
			}
		}
	}
	if text, err = os.ReadFile("../../deploy/grafana.json"); err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for i, target := range panel.Targets {
			found["panel "+panel.Title+" "+strconv.Itoa(i)] = target.Expr
		}
	}
	if len(found) < 30 {
		t.Fatalf("%d queries", len(found))
	}
	return found
}

// checkQueries checks that every metric, label and verdict of the queries exists. families are the
// metrics of a shop with a payment.
func checkQueries(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	labelsOf := map[string][]string{"up": {"job", "instance"}}
	for name, family := range families {
		names := []string{"job", "instance"} // from Prometheus
		for _, l := range family.Metric[0].Label {
			names = append(names, l.GetName())
		}
		switch family.GetType() {
		case dto.MetricType_HISTOGRAM:
			labelsOf[name+"_count"], labelsOf[name+"_sum"] = names, names
			labelsOf[name+"_bucket"] = append(slices.Clone(names), "le")
		default:
			labelsOf[name] = names
		}
	}
	for where, text := range expressions(t) {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		var selected []string // labels of the metrics in the query
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			selector, ok := node.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			known, exists := labelsOf[selector.Name]
			if !exists {
				t.Errorf("%s: there is no metric %s", where, selector.Name)
			}
			selected = append(selected, known...)
			for _, m := range selector.LabelMatchers {
				if m.Name != model.MetricNameLabel && !slices.Contains(known, m.Name) {
					t.Errorf("%s: %s has no label %s", where, selector.Name, m.Name)
				}
			}
			return nil
		})
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if sum, ok := node.(*parser.AggregateExpr); ok {
				for _, label := range sum.Grouping {
					if !slices.Contains(selected, label) {
						t.Errorf("%s: groups by %s, which no metric has", where, label)
					}
				}
			}
			return nil
		})
	}
}

// checkMetricsDocument checks that both versions of the guide name the metrics that exist.
func checkMetricsDocument(t *testing.T, families map[string]*dto.MetricFamily) {
	t.Helper()
	var want []string
	for name := range families {
		if strings.HasPrefix(name, "h5pay_") {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	for _, name := range []string{"../../docs/deploy.md", "../../docs/deploy.zh-CN.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got := regexp.MustCompile(`h5pay_[a-z_]+`).FindAllString(string(text), -1)
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("metrics in %s (-server +document):\n%s", name, diff)
		}
	}
}

// The unit gives the server time to finish its work, and no right that it does not need. Where
// systemd is installed, its own review agrees.
func TestUnitIsHardened(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/h5pay.service")
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			set[name] = value
		}
	}
	for name, want := range map[string]string{
		"DynamicUser": "yes", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict", "ProtectHome": "yes",
		"PrivateDevices": "yes", "MemoryDenyWriteExecute": "yes", "UMask": "0077", "StateDirectoryMode": "0700",
	} {
		if value, ok := set[name]; !ok || value != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
	}
	stop, err := strconv.Atoi(set["TimeoutStopSec"])
	if err != nil || stop <= stopSeconds(t) {
		t.Errorf("TimeoutStopSec is %s, and the server takes up to %d s", set["TimeoutStopSec"], stopSeconds(t))
	}
	compose, err := os.ReadFile("../../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	grace := regexp.MustCompile(`stop_grace_period: (\d+)s`).FindSubmatch(compose)
	if grace == nil {
		t.Fatal("deploy/compose.yaml has no stop_grace_period")
	}
	if n, err := strconv.Atoi(string(grace[1])); err != nil || n <= stopSeconds(t) {
		t.Errorf("stop_grace_period is %s s", grace[1])
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		return // macOS, for example: the checks above hold
	}
	out, err := exec.Command("systemd-analyze", "security", "--offline=yes", "--threshold=20", "../../deploy/h5pay.service").CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}

// stopSeconds returns stopTime of the signer in seconds.
func stopSeconds(t *testing.T) int {
	t.Helper()
	source, err := os.ReadFile("../../signer/server_other.go")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`const stopTime = (\d+) \* time\.Second`).FindSubmatch(source)
	if m == nil {
		t.Fatal("the signer has no stopTime")
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// orZero returns a duration of a rule, which may be missing.
func orZero(duration string) string {
	if duration == "" {
		return "0s"
	}
	return duration
}
