package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"h5pay/e2e/pages"
)

// lighthouseVersion is that of lighthouse/package.json. Later ones need another Node.
const lighthouseVersion = "12.2.3"

// audit is what Lighthouse reports about a page on its own simulated phone.
type audit struct {
	performance, accessibility, practices, seo int     // of 100
	paint, content, blocked                    float64 // ms: first and largest contentful paint, total blocking time
	shift                                      float64
}

// lighthouse runs Lighthouse on a contender, whose server is not slowed down: Lighthouse simulates
// the network and the processor.
func lighthouse(ctx context.Context, browser, dir, cli string, c contender) (a audit, err error) {
	s, err := pages.StartTLS("node_modules/.bin/node", c.site, c.api)
	if err != nil {
		return a, err
	}
	defer s.Close()
	if err := s.Pack(); err != nil {
		return a, err
	}
	out := filepath.Join(dir, "lighthouse.json")
	node, err := filepath.Abs("node_modules/.bin/node")
	if err != nil {
		return a, err
	}
	trust, key := pages.TrustFlag()
	cmd := exec.CommandContext(ctx, node, cli, s.URL+"/", "--quiet", "--output=json", "--output-path="+out,
		"--only-categories=performance,accessibility,best-practices,seo", "--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-quic --accept-lang=zh-CN --"+trust+"="+key)
	cmd.Env = append(os.Environ(), "CHROME_PATH="+browser)
	if text, err := cmd.CombinedOutput(); err != nil {
		return a, fmt.Errorf("running Lighthouse: %w\n%s", err, text)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return a, err
	}
	var report struct {
		RuntimeError struct{ Message string }
		Categories   map[string]struct{ Score float64 }
		Audits       map[string]struct{ NumericValue float64 }
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return a, fmt.Errorf("reading Lighthouse's report: %w", err)
	}
	if report.RuntimeError.Message != "" {
		return a, fmt.Errorf("running Lighthouse: %s", report.RuntimeError.Message)
	}
	score := func(name string) int { return int(report.Categories[name].Score*100 + .5) }
	value := func(name string) float64 { return report.Audits[name].NumericValue }
	return audit{score("performance"), score("accessibility"), score("best-practices"), score("seo"),
		value("first-contentful-paint"), value("largest-contentful-paint"), value("total-blocking-time"), value("cumulative-layout-shift")}, nil
}

// middle returns the median of what f returns for the audits.
func middle[T int | float64](audits []audit, f func(audit) T) T {
	var all []T
	for _, a := range audits {
		all = append(all, f(a))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
