package binary

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// The page inside the binary runs in a browser: its program starts under the page's policy, and
// shows the products.
func TestPageInsideTheBinaryRuns(t *testing.T) {
	t.Parallel()
	path, err := exec.Command("../browser.sh").Output()
	if err != nil {
		t.Fatalf("no browser: %v", err)
	}
	p, id := startDemo(t, t.TempDir())
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(strings.TrimSpace(string(path))), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("lang", "zh-CN"), chromedp.Flag("accept-lang", "zh-CN"), chromedp.WindowSize(390, 844))...)
	defer stopAlloc()
	browser, stopBrowser := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	defer stopBrowser()
	ctx, cancel := context.WithTimeout(browser, 2*longest)
	defer cancel()
	var text string
	var screenshot []byte
	if err := chromedp.Run(ctx, chromedp.Navigate(id.PhoneURL+"/")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the products are shown", func() bool {
		// The page goes to WeChat and returns: an evaluation may fail meanwhile.
		err := chromedp.Run(ctx, chromedp.Evaluate(`document.title + " " + document.body.innerText`, &text))
		return err == nil && strings.Contains(text, "高山乌龙茶") && strings.Contains(text, "68")
	})
	if err := chromedp.Run(ctx, chromedp.CaptureScreenshot(&screenshot)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "山岚小铺") {
		t.Errorf("the page does not show the shop's name: %q", text)
	}
	dir := filepath.Join("..", "..", "artifacts")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "binary.png"), screenshot, 0o644); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(id.DeskURL)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("the desk: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
	p.stop(t)
}
